"""The bill of materials of a release: CycloneDX 1.6, written by its own library.

The files of the release contain their modules, programs and firmware, as they were read back
from them. Beside the files stand the inputs that they were made from: packages and others.
What a file holds is nested in it, which is also what the library is fast with.

To be imported only where a bill is wanted: the library is an extra.

Reference: https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import datetime
import uuid
from typing import TYPE_CHECKING, Final

from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.bom_ref import BomRef
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6

from rdcompose import __version__
from rdcompose.compose.programname import BUSYBOX_PATH, E2FSCK_PATH
from rdcompose.release.sbom_parts import of_driver, of_file, of_firmware, of_input, of_program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rdcompose.compose.inputs import Input
    from rdcompose.release.builds import Build
    from rdcompose.release.draft import Draft
    from rdcompose.release.inventory import Driver, Holding, Inventory

# Of documents of rdcompose: what their identities are derived in.
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:rdcompose:release")
_ROOT: Final = "release"
_KERNEL_ROLES: Final = frozenset({"kernel"})
_DISK_ROLES: Final = frozenset({"kernel", "module"})
# What only a unified kernel image is made of.
_UKI_ROLES: Final = frozenset({"uki-stub", "os-release"})


def sbom(draft: Draft, inventories: Sequence[Inventory]) -> bytes:
    """Return the bill of materials; ``inventories`` are those of the draft's builds."""
    bill = _Bill(draft)
    for build, inventory in zip(draft.builds, inventories, strict=True):
        bill.add(build, inventory)
    return bill.to_json()


class _Bill:
    """Collects components, and by name what each is made from or needs."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._placed = {file.name: file for file in draft.files}
        self._inputs: dict[str, Component] = {}
        self._files: dict[str, Component] = {}
        self._needs: dict[str, set[str]] = {}

    def add(self, build: Build, inventory: Inventory) -> None:
        inputs = {self._input(item): item for item in build.record.lock.inputs}
        held = {one.file: one for one in (inventory.initramfs, inventory.disk) if one is not None}
        for file in build.files:
            name = build.names[file.name]
            if name not in self._files:
                parts = self._parts(name, build, held.get(file.name))
                self._files[name] = of_file(self._placed[name], parts)
            roles = _roles(build, file.name)
            self._need(name, (ref for ref, item in inputs.items() if item.role in roles))
        self._connect_modules(build, held.values())
        self._connect_programs(build, inventory.initramfs, inputs)

    def _need(self, name: str, needs: Iterable[str]) -> None:
        self._needs.setdefault(name, set()).update(needs)

    def _input(self, item: Input) -> str:
        ref = f"{item.role}:{item.sha256[:16]}:{item.file}"
        self._inputs.setdefault(ref, of_input(item, ref))
        return ref

    def _parts(self, name: str, build: Build, holding: Holding | None) -> Iterator[Component]:
        if holding is None:
            return
        sources = _sources(build)
        for driver in holding.drivers:
            yield of_driver(driver, build.release, f"{name}/{driver.path}")
        for program in holding.programs:
            yield of_program(program, sources.get(program.path), f"{name}/{program.path}")
        for blob in holding.firmware:
            yield of_firmware(blob, f"{name}/{blob.path}")

    def _connect_modules(self, build: Build, holdings: Iterable[Holding]) -> None:
        """Note which module needs which, wherever in the build that is."""
        places: dict[str, str] = {}
        drivers: list[tuple[str, Driver]] = []
        for holding in holdings:
            for driver in holding.drivers:
                ref = f"{build.names[holding.file]}/{driver.path}"
                places.setdefault(driver.name, ref)
                drivers.append((ref, driver))
        for ref, driver in drivers:
            if found := [places[name] for name in driver.depends if name in places]:
                self._need(ref, found)

    def _connect_programs(
        self, build: Build, holding: Holding, inputs: Mapping[str, Input]
    ) -> None:
        """Note which package a program is of."""
        refs = {item: ref for ref, item in inputs.items()}
        sources = _sources(build)
        for program in holding.programs:
            if (item := sources.get(program.path)) is not None:
                self._need(f"{build.names[holding.file]}/{program.path}", [refs[item]])

    def to_json(self) -> bytes:
        """Return the whole document."""
        draft = self._draft
        identity = "".join(f"{file.sha256}  {file.name}\n" for file in draft.files)
        root = Component(name=draft.name, type=ComponentType.OPERATING_SYSTEM, bom_ref=_ROOT)
        tool = Component(name="rdcompose", version=__version__, type=ComponentType.APPLICATION)
        self._need(_ROOT, self._files)
        bom = Bom(
            serial_number=uuid.uuid5(_NAMESPACE, identity),
            metadata=BomMetaData(
                component=root,
                tools=ToolRepository(components=[tool]),
                timestamp=datetime.datetime.fromtimestamp(draft.timestamp, datetime.UTC),
            ),
            components=[*self._files.values(), *self._inputs.values()],
            dependencies=[
                Dependency(BomRef(name), [Dependency(BomRef(need)) for need in needs])
                for name, needs in self._needs.items()
            ],
        )
        return JsonV1Dot6(bom).output_as_string(indent=1).encode() + b"\n"


def _roles(build: Build, name: str) -> frozenset[str]:
    """Return the roles of the inputs that a file is made from."""
    release = build.release
    every = frozenset(item.role for item in build.record.lock.inputs)
    if name == f"manifest-{release}.json":
        return frozenset()
    if name in {f"config-{release}", f"vmlinuz-{release}", f"vmlinux-{release}"}:
        return _KERNEL_ROLES
    if name.startswith(f"modules-{release}."):
        return _DISK_ROLES
    return every if name.endswith(".efi") else every - _UKI_ROLES


def _sources(build: Build) -> dict[str, Input]:
    """Return the input that each program in the initramfs is of, by its path there."""
    inputs = build.record.lock.inputs
    packages = {item.package: item for item in inputs if item.package}
    found = {path.lstrip("/"): packages.get(name) for path, name in build.record.added.items()}
    roles = {"busybox": BUSYBOX_PATH, "e2fsck": E2FSCK_PATH}
    found |= {roles[item.role]: item for item in inputs if item.role in roles}
    return {path: item for path, item in found.items() if item is not None}
