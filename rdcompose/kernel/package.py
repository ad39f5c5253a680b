"""A kernel, its modules and its configuration, of one release: from packages or a tree.

Where the parts lie is told in :mod:`rdcompose.kernel.layout`. Everything is read once, as a
stream, and nothing of it is written to a disk. Packages can hold several kernels; each is
whole, or none is taken.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from rdcompose.errors import FormatError, ReleaseError, SpecError, UnsupportedError
from rdcompose.formats.ikconfig import embedded_config
from rdcompose.formats.image import read_image
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.gate import Claim, check_claims, check_machine, check_modules
from rdcompose.kernel.machine import find_architecture
from rdcompose.kernel.moduletree import ModuleIntake
from rdcompose.kernel.parts import PartFile, Parts
from rdcompose.kernel.release import check_release
from rdcompose.tree import read_all

if TYPE_CHECKING:
    from rdcompose.formats.deb import Control
    from rdcompose.formats.image import KernelImage
    from rdcompose.kernel.moduletree import ModuleTree
    from rdcompose.kernel.release import Architecture
    from rdcompose.kernel.source import Source

# Those that hold what linux-image itself does not, in newer kernels and in Ubuntu.
PART_PREFIXES: Final = ("linux-base-", "linux-binary-", "linux-modules-")
_OTHER_PARTS: Final = re.compile(rf"(?:^|[,|])\s*((?:{'|'.join(PART_PREFIXES)})[^\s,|(]+)")

# The module with the configuration, of CONFIG_IKCONFIG=m.
_CONFIGS: Final = "configs"

Progress = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KernelPackage:
    """What a kernel's packages or tree hold, checked to be of one release.

    ``image_name`` is ``vmlinuz`` or ``vmlinux``, as it was; ``timestamp`` is the newest time
    of a file, in seconds since 1970. ``controls`` are the control stanzas of the packages,
    in the order given. ``device_trees`` are those that were asked for, and overlays, by their
    paths below the directory that the kernel has for them.
    """

    release: str
    architecture: Architecture
    image_name: str
    image: bytes
    config_text: bytes
    config: KernelConfig
    tree: ModuleTree
    timestamp: int
    controls: tuple[Control, ...]
    device_trees: Mapping[str, bytes] = dataclasses.field(default_factory=dict)


def read_kernels(
    sources: Sequence[Source],
    *,
    release: str | None = None,
    architecture: Architecture | None = None,
    threads: int = 2,
    progress: Progress | None = None,
    device_trees: Callable[[str], bool] | None = None,
) -> tuple[KernelPackage, ...]:
    """Read the sources that together are a kernel, mostly one, or each hold several.

    With ``release``, only the kernel of that one is read and returned; otherwise all, in the
    order of their releases. ``architecture`` decides where a kernel can be of several.
    ``progress`` is called with the bytes read so far and the bytes there are. ``device_trees``
    says which files are to be read of the directory of device trees, by their paths below it;
    without it none are, because generic kernels have a thousand of them.

    :raises FormatError: a package is damaged, or they are not a whole kernel.
    :raises ReleaseError: their parts are not all of one release.
    :raises SpecError: there is no kernel of ``release``.
    :raises UnsupportedError: one is of a kind that is not handled.
    """
    total = sum(source.size for source in sources)
    with ModuleIntake(threads=threads) as intake:
        parts = Parts(sources, intake, release, device_trees)
        done = 0
        for source in sources:
            for member in source.members(parts.wanted):
                parts.take(member)
                if progress is not None:
                    progress(done + source.position, total)
            done += source.size
        found = _images(parts)
        _check_rest(parts, found)
        return tuple(
            _kernel(parts, name, *found[name], architecture=architecture) for name in sorted(found)
        )


def other_packages(depends: str) -> tuple[str, ...]:
    """Return the packages with the parts of a kernel, by the Depends of its ``linux-image``."""
    return tuple(dict.fromkeys(_OTHER_PARTS.findall(depends)))


def _images(parts: Parts) -> dict[str, tuple[PartFile, KernelImage]]:
    """Return the kernels by the releases inside them."""
    found: dict[str, tuple[PartFile, KernelImage]] = {}
    inside: list[str] = []
    for file in parts.images():
        info = _read(file)
        release = _release_of(file, info)
        inside.append(release)
        if parts.wanted_release not in {None, release}:
            continue
        if release in found and found[release][0].content != file.content:
            raise ReleaseError(
                f"{found[release][0].path} and {file.path} are different kernels of {release}"
            )
        found.setdefault(release, (file, info))
    if not found:
        raise _no_kernel(parts, [*parts.kernels(), *inside])
    return found


def _read(file: PartFile) -> KernelImage:
    try:
        return read_image(file.content)
    except (FormatError, UnsupportedError) as error:
        raise type(error)(f"the kernel {file.path}: {error.message}", hint=error.hint) from error


def _release_of(file: PartFile, info: KernelImage) -> str:
    if info.release is None:
        raise ReleaseError(f"the kernel {file.path} does not tell its release")
    claims = [Claim(f"the kernel inside {file.path}", info.release)]
    if file.place.release:
        claims.insert(0, Claim(file.place.where, file.place.release))
    return check_release(check_claims(claims))


def _no_kernel(parts: Parts, others: Sequence[str]) -> FormatError | SpecError:
    if parts.wanted_release is not None and others:
        return SpecError(
            f"{parts.subject} no kernel {parts.wanted_release}",
            hint=f"there is {', '.join(sorted(set(others)))}",
        )
    said = [claim.release for claim in parts.package_claims("")]
    name = f"linux-image-{said[0] if said else 'RELEASE'}"
    hint = _missing(parts, f"the package of the kernel itself is wanted: {name}", also=name)
    return FormatError(f"{parts.subject} no kernel: no boot/vmlinuz-* or boot/vmlinux-*", hint=hint)


def _check_rest(parts: Parts, found: dict[str, tuple[PartFile, KernelImage]]) -> None:
    """Check that names of packages, directories and configurations are of these kernels."""
    claims = list(parts.claims())
    for release, (file, _) in found.items():
        first = Claim(file.place.where or f"the kernel {file.path}", release)
        others = claims if len(found) == 1 else []
        check_claims([first, *parts.package_claims(release), *others])
    for claim in claims:
        if claim.release not in found:
            raise ReleaseError(
                f"{claim.where} is of {claim.release}, but the kernels here are of "
                f"{', '.join(sorted(found))}"
            )


def _kernel(
    parts: Parts,
    release: str,
    file: PartFile,
    info: KernelImage,
    *,
    architecture: Architecture | None,
) -> KernelPackage:
    """Put the parts of one kernel together, if they are all there."""
    tree = parts.tree(release)
    where, config_text = _config(parts, file, tree)
    config = KernelConfig.parse(config_text)
    machine = find_architecture(file.path, info, config, parts.controls, architecture)
    contradiction = config.contradiction(release, machine)
    if contradiction is not None:
        raise ReleaseError(f"{where} is not of this kernel: {contradiction}")
    if not tree.modules:
        _demand_none(parts, config)
    check_modules(release, tree.modules)
    check_machine(machine, info.bits, tree.modules)
    return KernelPackage(
        release=release,
        architecture=machine,
        image_name=file.place.name,
        image=file.content,
        config_text=config_text,
        config=config,
        tree=tree,
        timestamp=parts.timestamp,
        controls=parts.controls,
        device_trees=parts.device_trees(release),
    )


def _config(parts: Parts, kernel: PartFile, tree: ModuleTree) -> tuple[str, bytes]:
    """Return the configuration of a kernel, and what messages call the place where it was."""
    if (file := parts.configs.get(tree.release)) is not None:
        return file.path, file.content
    for where, content in _carriers(kernel, tree):
        if (found := embedded_config(content)) is not None:
            return f"the configuration inside {where}", found
    raise FormatError(
        f"{parts.subject} no boot/config-{tree.release}, and the kernel carries none "
        "(CONFIG_IKCONFIG)",
        hint=_missing(
            parts,
            "rdcompose reads there what the kernel can unpack, mount and load: put it beside the "
            "kernel, in a directory with the modules, and give that",
        ),
    )


def _carriers(kernel: PartFile, tree: ModuleTree) -> Iterator[tuple[str, bytes]]:
    """Yield what can have a configuration inside: first the module, which is small."""
    for module in tree.modules:
        if module.name == _CONFIGS:
            yield f"the module {module.path}", read_all(module.content)
    yield kernel.path, kernel.content


def _demand_none(parts: Parts, config: KernelConfig) -> None:
    """Check that a kernel without modules has everything built in."""
    modular = [name for name, value in config.options.items() if value == "m"]
    if modular:
        raise FormatError(
            f"{parts.subject} no modules, but the configuration has "
            f"{len(modular)} options as modules, CONFIG_{modular[0]} first",
            hint=_missing(
                parts, "some distributions have them in a package of their own: give that, too"
            ),
        )


def _missing(parts: Parts, hint: str, *, also: str = "") -> str:
    """Return what to do about a part that is not there.

    ``also`` names a package that is wanted, if it is not among those given.
    """
    have = {control.package for control in parts.controls}
    named = [
        name
        for control in parts.controls
        for name in other_packages(control.get("Depends"))
        if name not in have
    ]
    if named:
        wanted = dict.fromkeys([also, *named] if also and also not in have else named)
        return f"this kernel is in several packages: give {', '.join(wanted)}, too"
    return hint
