"""Which files beside each other may hold modules of one kernel, or tell about those that do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.inspect.names import is_spare, named_release
from rdcompose.inspect.opened import open_image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In a directory: kernels take long to unpack, and hold no modules.
_PASSED_OVER: Final = re.compile(
    r"vmlinu|bzImage|zImage|System\.map|kernel.*\.img$|.*\.(?:efi|deb|dtb|sig|asc|html|log|cpio|nodes|tree)$"
    r"|\."
)


def files_beside(path: Path) -> Iterator[Path]:
    """Yield the manifest that names a file, and the configuration that it names."""
    release = named_release(path.name)
    manifest = path.parent / f"manifest-{release}.json"
    if release is None or not (path.is_file() and manifest.is_file()):
        return
    with open_image(manifest) as opened:
        told = (opened.facts.manifest if opened.facts is not None else None) or {}
    outputs = told.get("outputs")
    rows = [row for row in (outputs if isinstance(outputs, list) else []) if isinstance(row, dict)]
    sizes = {row.get("name"): row.get("size") for row in rows if isinstance(row.get("name"), str)}
    # In a release, the name of the build follows that of the kernel, and there is one config-R.
    kernel = str(told.get("release"))
    if sizes.get(path.name.replace(release, kernel)) == path.stat().st_size:
        yield manifest
        config = f"config-{kernel}"
        if config in sizes and (path.parent / config).is_file():
            yield path.parent / config


def is_tree(directory: Path) -> bool:
    """Whether it is an unpacked initramfs or a root, and not one with files beside each other.

    MiniVM has both: what boots counts there, and ``lib/modules`` is what it was made of.
    """
    if is_module_directory(directory):
        return True
    holds = any((directory / place).is_dir() for place in ("lib/modules", "usr/lib/modules"))
    return holds and not any(
        named_release(path.name) is not None and path.is_file() and not path.is_symlink()
        for path in directory.iterdir()
    )


def is_module_directory(path: Path) -> bool:
    """Whether it is what is called ``lib/modules/R`` elsewhere."""
    return (path / "kernel").is_dir() and (path / "modules.order").exists()


def files_in(directory: Path) -> list[Path]:
    """Return the files of a directory that may have modules, or tell of those that have, by name.

    :raises SpecError: it cannot be read.
    """
    try:
        found = sorted(directory.iterdir())
    except OSError as error:
        raise SpecError(f"cannot read {directory}: {error.strerror}") from error
    names = {path.name for path in found}
    return [
        path
        for path in found
        if path.is_file()
        and _PASSED_OVER.match(path.name) is None
        and not is_spare(path.name)
        and not (path.is_symlink() and str(path.readlink()) in names)
    ]
