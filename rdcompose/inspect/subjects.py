"""What can be asked why: kernels with lists, and files with what is known of their making."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

from rdcompose.compose.choosing import choice_of
from rdcompose.compose.features import feature_inputs, load_features
from rdcompose.compose.inputs import digest
from rdcompose.compose.layout import depmod_of
from rdcompose.compose.profile import load_profile
from rdcompose.compose.spec import DiskMode
from rdcompose.errors import RdcomposeError
from rdcompose.inspect.explained import Subject
from rdcompose.inspect.reasons import recorded_reasons
from rdcompose.kernel.chains import parse_why

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rdcompose.compose.features import Feature
    from rdcompose.compose.profile import Profile
    from rdcompose.inspect.holdings import Holdings
    from rdcompose.kernel.choice import Choice
    from rdcompose.kernel.package import KernelPackage

_INITRAMFS: Final = "initramfs"
_DISK: Final = "the modules disk"
_NO_LISTS: Final = "no module lists are known: chains begin where no other module needs one"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """The lists of a composition, read and ready to choose by."""

    profile: Profile
    features: tuple[Feature, ...]
    mode: DiskMode

    @property
    def choice(self) -> Choice:
        """What they choose by."""
        return choice_of(self.profile, self.features, self.mode)

    @property
    def is_builtin(self) -> bool:
        """Whether the profile's own list came with rdcompose."""
        own = f"{self.profile.name}/"
        return all(file.builtin for file in self.profile.files if file.name.startswith(own))


def load_lists(profile: str, features: Sequence[str], mode: DiskMode) -> Lists:
    """Read the lists of a profile, by name or path, and of features.

    :raises SpecError: there is none of that name, or an entry is malformed.
    """
    found = load_profile(profile)
    return Lists(profile=found, features=load_features((*found.features, *features)), mode=mode)


def kernel_subject(package: KernelPackage, lists: Lists) -> Subject:
    """Return what a kernel would be composed to with some lists.

    :raises RdcomposeError: as a build does, of lists that do not fit the kernel.
    """
    depmod = depmod_of(package.tree)
    choice = lists.choice
    selection = choice.select(depmod) if depmod.modules else None
    inside = dict.fromkeys(selection.ramdisk if selection is not None else (), _INITRAMFS)
    outside = {
        DiskMode.REMAINING: selection.disk if selection is not None else (),
        DiskMode.ALL: tuple(depmod.modules),
        DiskMode.NONE: (),
    }
    return Subject(
        release=package.release,
        graph=depmod,
        initramfs=inside,
        disk=dict.fromkeys(outside[lists.mode], _DISK),
        reasons=selection.reasons if selection is not None else {},
        choice=choice,
        profile=lists.profile.name,
        builtin_profile=lists.is_builtin,
        config=package.config,
        aliased=frozenset(
            name for name, module in depmod.modules.items() if module.elf.value("alias")
        ),
    )


def files_subject(holdings: Holdings, profile: str | None) -> Subject:
    """Return what files hold, with the lists that they were made by as far as these are at hand.

    ``profile`` is where the lists are, if they are not where the manifest says.

    :raises SpecError: ``profile`` is none.
    """
    subject = Subject(
        release=holdings.release,
        graph=holdings.graph,
        initramfs=holdings.initramfs,
        disk=holdings.disk,
        loaded=holdings.loaded,
        config=holdings.config,
        aliased=holdings.graph.aliased if holdings.whole else None,
        whole=holdings.whole,
        notes=holdings.problems,
    )
    manifest = holdings.manifest
    if manifest is None:
        return dataclasses.replace(subject, notes=(*subject.notes, _NO_LISTS))
    recorded = {
        name: why
        for name, text in recorded_reasons(manifest).items()
        if name in holdings.initramfs and (why := parse_why(text)) is not None
    }
    subject = dataclasses.replace(subject, reasons=recorded)
    lists, problem = _lists_of(manifest, profile)
    if lists is not None:
        problem = _problem(subject, lists)
    if lists is None or problem:
        return dataclasses.replace(subject, notes=(*subject.notes, problem))
    return dataclasses.replace(
        subject,
        choice=lists.choice,
        profile=lists.profile.name,
        builtin_profile=lists.is_builtin,
    )


def _lists_of(manifest: Mapping[str, Any], profile: str | None) -> tuple[Lists | None, str]:
    """Return the lists that a manifest is of, or why they are not at hand."""
    options = manifest.get("options")
    options = options if isinstance(options, dict) else {}
    name = profile if profile is not None else str(options.get("profile", ""))
    try:
        mode = DiskMode(str(options.get("disk", "")))
        lists = load_lists(name, str(options.get("features", "")).split(), mode)
    except (RdcomposeError, ValueError):
        if profile is not None:
            raise
        return None, f"the lists of the profile {name} are not at hand: give them with --profile"
    have = {(file.name, digest(file.data)) for file in lists.profile.files}
    have |= {(item.file, item.sha256) for item in feature_inputs(lists.features)}
    if have - _listed(manifest):
        return None, (
            f"the lists of the profile {name} are not those that this was made by"
            + ("" if profile is not None else ": give them with --profile")
        )
    return lists, ""


def _listed(manifest: Mapping[str, Any]) -> set[tuple[str, str]]:
    inputs = manifest.get("inputs")
    rows = inputs if isinstance(inputs, list) else []
    return {(str(row.get("file")), str(row.get("sha256"))) for row in rows if isinstance(row, dict)}


def _problem(subject: Subject, lists: Lists) -> str:
    """Say why the lists cannot be asked what they do, empty if they can."""
    if not subject.whole:
        return "without the modules disk it is not known what else lists would do"
    try:
        found = lists.choice.select(subject.graph)
    except RdcomposeError as error:
        return f"the lists do not fit what is here: {error.message}"
    if found.ramdisk and not subject.initramfs:
        return "without the initramfs it is not known what else lists would do"
    if set(found.ramdisk) != set(subject.initramfs):
        return "the lists choose other modules than the initramfs has"
    return ""
