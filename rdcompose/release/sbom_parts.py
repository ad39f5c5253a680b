"""Components of a bill of materials: what a file, an input or a module is to CycloneDX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import (
    DisjunctiveLicense,
    LicenseAcknowledgement,
    LicenseExpression,
)
from packageurl import PackageURL

from rdcompose.release.licences import licence_of_input
from rdcompose.release.purl import package_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.compose.inputs import Input
    from rdcompose.release.inventory import Driver, Piece
    from rdcompose.release.place import Placed

_TYPES: Final = {
    "kernel": ComponentType.OPERATING_SYSTEM,
    "busybox": ComponentType.APPLICATION,
    "e2fsck": ComponentType.APPLICATION,
    "added": ComponentType.APPLICATION,
    "uki-stub": ComponentType.APPLICATION,
    "firmware": ComponentType.FIRMWARE,
    "microcode": ComponentType.FIRMWARE,
    "module": ComponentType.DEVICE_DRIVER,
}


def of_file(file: Placed, parts: Iterable[Component]) -> Component:
    """Return a file of the release, and in it what it holds."""
    return Component(
        name=file.name,
        type=ComponentType.FILE,
        bom_ref=file.name,
        hashes=_hashes(file.sha256),
        properties=[Property(name="rdcompose:size", value=str(file.size))],
        components=parts,
    )


def of_input(item: Input, ref: str) -> Component:
    """Return what a build was made from."""
    url = package_url(item)
    facts = {"role": item.role, "source": item.source, "file": item.file}
    if item.archive is not None:
        facts |= {"archive": item.archive.label, "suite": item.archive.suite}
    return Component(
        name=item.package or item.file,
        version=item.version or None,
        type=_TYPES.get(item.role, ComponentType.DATA),
        bom_ref=ref,
        hashes=_hashes(item.sha256),
        licenses=_expression(licence_of_input(item.role)),
        purl=None if url is None else PackageURL.from_string(url),
        properties=[
            Property(name=f"rdcompose:{name}", value=value) for name, value in facts.items()
        ],
    )


def of_driver(driver: Driver, release: str, ref: str) -> Component:
    """Return a kernel module; the kernel's own are of its release where they name no version."""
    version = driver.version or ("" if driver.own else release)
    declared = LicenseAcknowledgement.DECLARED
    return Component(
        name=driver.name,
        version=version or None,
        description=driver.description or None,
        type=ComponentType.DEVICE_DRIVER,
        bom_ref=ref,
        hashes=_hashes(driver.sha256),
        licenses=[
            DisjunctiveLicense(name=name, acknowledgement=declared) for name in driver.licences
        ],
    )


def of_program(program: Piece, item: Input | None, ref: str) -> Component:
    """Return a program or library of a package, if it is known which."""
    kind = ComponentType.LIBRARY if program.library else ComponentType.APPLICATION
    return Component(
        name=program.path,
        version=None if item is None else item.version or None,
        type=kind,
        bom_ref=ref,
        hashes=_hashes(program.sha256),
        licenses=_expression(None if item is None else licence_of_input(item.role)),
    )


def of_firmware(blob: Piece, ref: str) -> Component:
    """Return a file of firmware, or microcode."""
    return Component(
        name=blob.path,
        type=ComponentType.FIRMWARE,
        bom_ref=ref,
        hashes=_hashes(blob.sha256),
    )


def _hashes(sha256: str) -> Iterator[HashType]:
    yield HashType(alg=HashAlgorithm.SHA_256, content=sha256)


def _expression(text: str | None) -> Iterator[LicenseExpression]:
    if text is not None:
        yield LicenseExpression(text)
