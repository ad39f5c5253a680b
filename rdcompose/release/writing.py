"""From builds to a release: all of its files, complete, or none."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, Any, Final

from rdcompose import __version__
from rdcompose.errors import UnsupportedError, UsageError
from rdcompose.manifest import to_json
from rdcompose.outputs import CHECKSUMS
from rdcompose.publish import Publication
from rdcompose.release.builds import build_directories, find_builds, named
from rdcompose.release.draft import Draft
from rdcompose.release.gns3 import IMAGES, appliance, images_alone
from rdcompose.release.inventory import on_disk, take_inventory
from rdcompose.release.notes import NOTES, notes
from rdcompose.release.place import (
    MANIFEST,
    MD5,
    checksums,
    earlier_names,
    place_builds,
    place_document,
)
from rdcompose.release.provenance import UNNAMED, provenance, provenance_name
from rdcompose.release.records import KIND
from rdcompose.release.signer import sign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rdcompose.release.builds import Build
    from rdcompose.release.inventory import Inventory
    from rdcompose.release.place import Placed
    from rdcompose.release.records import ReleaseRecord

SCHEMA: Final = 1
SBOM: Final = "sbom.cdx.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSpec:
    """What a release is to be.

    ``directories`` hold builds, or directories of builds. Without an ``output`` it is made where
    its one build lies. ``timestamp`` is that of its documents, in seconds since 1970; by default
    that of the newest build. ``signer`` are the words of a command that signs the checksums,
    ``gns3a`` is the template of an appliance, and ``url`` where the files will be found.
    """

    directories: tuple[Path, ...]
    output: Path | None = None
    name: str = ""
    timestamp: int | None = None
    previous: ReleaseRecord | None = None
    md5: bool = False
    sbom: bool = True
    builder: str = UNNAMED
    signer: tuple[str, ...] | None = None
    gns3a: Path | None = None
    gns3a_images: bool = False
    url: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """A release that was written: its directory, builds and files.

    ``left_out`` are directories that builds wrote, which a flat list of files has no place for.
    """

    directory: Path
    name: str
    builds: tuple[Build, ...]
    files: tuple[Placed, ...]
    left_out: tuple[Path, ...] = ()


def write_release(spec: ReleaseSpec) -> Released:
    """Write a release.

    :raises SpecError: a directory holds no build, or a build is not as its manifest says.
    :raises OutputError: it cannot be written; what was there stays as it was.
    """
    sources = build_directories(spec.directories, spec.output)
    directory, copied = _place(sources, spec.output)
    builds = named(find_builds(sources))
    with Publication(directory) as publication:
        files = place_builds(publication, builds, copied=copied)
        draft = Draft(
            name=spec.name or _default_name(builds),
            timestamp=_timestamp(spec, builds),
            builds=builds,
            files=files,
        )
        inventories = [take_inventory(build) for build in builds]
        documents = _documents(spec, draft, inventories)
        written = _write_documents(publication, spec, draft, documents, inventories)
        with publication.locked():
            new = {file.name for file in written}
            stale = earlier_names(directory, with_files=copied) - new
            publication.publish(remove=sorted(stale), last=CHECKSUMS)
    return Released(
        directory=directory,
        name=draft.name,
        builds=builds,
        files=written,
        left_out=tuple(
            build.directory / build.record.directory
            for build in builds
            if build.record.directory is not None
        ),
    )


def _place(directories: Sequence[Path], output: Path | None) -> tuple[Path, bool]:
    """Return the directory of the release, and whether files have to be copied there."""
    if output is None:
        if len(directories) > 1:
            raise UsageError(
                "a release of several directories needs one of its own",
                hint="name it with --output DIR",
            )
        return directories[0], False
    here = [_same(directory, output) for directory in directories]
    if any(here) and len(here) > 1:
        raise UsageError(
            f"{output} holds one of the builds, and the release of several needs a directory "
            "of its own"
        )
    return output, not any(here)


def _same(one: Path, other: Path) -> bool:
    with contextlib.suppress(OSError):
        return one.samefile(other)
    return False


def _timestamp(spec: ReleaseSpec, builds: Sequence[Build]) -> int:
    if spec.timestamp is not None:
        return spec.timestamp
    return max(build.record.lock.timestamp for build in builds)


def _default_name(builds: Sequence[Build]) -> str:
    return ", ".join(dict.fromkeys(build.release for build in builds))


def _documents(
    spec: ReleaseSpec, draft: Draft, inventories: Sequence[Inventory]
) -> dict[str, bytes]:
    """Return what is said about the files, by name."""
    records = [
        dataclasses.replace(
            build.record, name=build.name, files=build.names, disk_modules=on_disk(inventory)
        )
        for build, inventory in zip(draft.builds, inventories, strict=True)
    ]
    documents = {NOTES: notes(draft, records, spec.previous)}
    for build in draft.builds:
        documents[provenance_name(build)] = to_json(provenance(build, builder=spec.builder))
    if spec.gns3a is not None:
        documents[spec.gns3a.name] = appliance(spec.gns3a, draft, spec.url)
    if spec.gns3a_images:
        documents[IMAGES] = images_alone(draft, spec.url)
    if spec.sbom:
        documents[SBOM] = _sbom(draft, inventories)
    return documents


def _sbom(draft: Draft, inventories: Sequence[Inventory]) -> bytes:
    try:
        from rdcompose.release.sbom import sbom
    except ImportError as error:
        raise UnsupportedError(
            f"a bill of materials needs a library that is not installed: {error}",
            hint="install the Python package cyclonedx-python-lib (the extra rdcompose[release]), "
            "or give --no-sbom",
        ) from error
    return sbom(draft, inventories)


def _write_documents(
    publication: Publication,
    spec: ReleaseSpec,
    draft: Draft,
    documents: Mapping[str, bytes],
    inventories: Sequence[Inventory],
) -> tuple[Placed, ...]:
    """Write the documents and what lists them; returns these and the files of the builds."""
    placed = [place_document(publication, name, data) for name, data in documents.items()]
    data = to_json(_manifest(draft, placed, inventories))
    placed.append(place_document(publication, MANIFEST, data))
    placed += draft.files
    if spec.md5:
        placed.append(place_document(publication, MD5, checksums(placed, MD5)))
    sums = checksums(placed, CHECKSUMS)
    placed.append(place_document(publication, CHECKSUMS, sums))
    if spec.signer is not None:
        for name, signature in sign(spec.signer, CHECKSUMS, sums).items():
            placed.append(place_document(publication, name, signature))
    return tuple(sorted(placed, key=lambda file: file.name))


def _manifest(
    draft: Draft, documents: Sequence[Placed], inventories: Sequence[Inventory]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "tool": {"name": "rdcompose", "version": __version__},
        "name": draft.name,
        "timestamp": draft.timestamp,
        "builds": [
            {
                "name": build.name,
                "release": build.release,
                "architecture": build.architecture,
                "files": dict(sorted(build.names.items())),
                "disk_modules": list(on_disk(inventory)),
                "manifest": build.record.data,
            }
            for build, inventory in zip(draft.builds, inventories, strict=True)
        ],
        "files": [_row(file) for file in draft.files],
        "documents": [_row(file) for file in sorted(documents, key=lambda file: file.name)],
    }


def _row(file: Placed) -> dict[str, Any]:
    return {"name": file.name, "size": file.size, "sha256": file.sha256}
