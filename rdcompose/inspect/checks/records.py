"""Whether files are those that a manifest and checksums name, and device trees are some."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Final

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Kind
from rdcompose.inspect.checks.modules import modules_of
from rdcompose.inspect.collection import release_of_name
from rdcompose.inspect.filecontent import file_content
from rdcompose.inspect.findings import Check, Finding, contradiction, count, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rdcompose.inspect.artifact import Artifact
    from rdcompose.inspect.collection import ArtifactSet
    from rdcompose.tree import Content

_PIECE: Final = 1 << 20
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def check_device_trees(group: ArtifactSet) -> Check:
    """Count the device trees: what is damaged is found with the other files."""
    found = group.of(Kind.DEVICE_TREE)
    if not found:
        return Check(name="device trees", summary="there are no device trees", done=False)
    overlays = sum(row.device_tree is not None and row.device_tree.model is None for row in found)
    machines = len(found) - overlays
    return Check(
        name="device trees", summary=f"{count(machines, 'machine')}, {count(overlays, 'overlay')}"
    )


def check_manifest(group: ArtifactSet) -> Check:
    """Compare the files with what the manifest says of them."""
    manifests = [(row, row.manifest) for row in group.of(Kind.MANIFEST) if row.manifest is not None]
    if not manifests:
        return Check(name="manifest", summary="there is no manifest", done=False)
    findings: list[Finding] = []
    number = 0
    for artifact, manifest in manifests:
        outputs = manifest["outputs"]
        try:
            rows = [_output(row) for row in (outputs if isinstance(outputs, list) else [outputs])]
        except SpecError as error:
            findings.append(contradiction(f"{artifact.name} is no manifest: {error.message}"))
            continue
        number += len(rows)
        for name, size, sha256 in rows:
            findings += _compared(artifact, name, sha256, size)
        findings += _listed(group, artifact, manifest)
    summary = f"{count(number, 'file')} as the manifest names them"
    return Check(name="manifest", summary=summary, findings=tuple(findings))


def _output(row: object) -> tuple[str, int, str]:
    fields = row if isinstance(row, dict) else {}
    name, size, sha256 = fields.get("name"), fields.get("size"), fields.get("sha256")
    if (
        not (isinstance(name, str) and isinstance(size, int) and isinstance(sha256, str))
        or _SHA256.fullmatch(sha256) is None
        or not _is_plain(name)
    ):
        raise SpecError(f"of an output it says {str(row)[:80]!r}")
    return name, size, sha256


def _is_plain(name: str) -> bool:
    """Whether a name leads to nothing outside of the directory that names it."""
    return not name.startswith("/") and "\0" not in name and ".." not in name.split("/")


def _compared(artifact: Artifact, name: str, sha256: str, size: int | None) -> Iterator[Finding]:
    found = _file(artifact, name)
    if found is None:
        yield contradiction(f"{name} is not there, but {artifact.name} names it")
        return
    if size is not None and found.size != size:
        yield contradiction(
            f"{name} has {found.size} bytes, but {size} by {artifact.name}: it is another file"
        )
    elif _digest(found) != sha256:
        yield contradiction(f"{name} is not the file whose SHA-256 {artifact.name} has")


def _file(artifact: Artifact, name: str) -> Content | None:
    """Return the file that a name means beside a manifest or checksums."""
    if artifact.beside is not None:
        return artifact.beside(name)
    return file_content(artifact.path.parent / name)


def _digest(content: Content) -> str:
    digest = hashlib.sha256()
    for piece in content.chunks(_PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _listed(
    group: ArtifactSet, artifact: Artifact, manifest: Mapping[str, Any]
) -> Iterator[Finding]:
    """Compare the modules of the initramfs with those that the manifest lists.

    One of another release has other modules; that it is, the check of the release says.
    """
    if manifest.get("release") != group.release:
        return
    part = manifest.get("initramfs")
    rows = part.get("modules") if isinstance(part, dict) else None
    if not isinstance(rows, list):
        return
    named = {str(row.get("path")) for row in rows if isinstance(row, dict)}
    for holder, contents in group.holders:
        if holder.kind is not Kind.INITRAMFS:
            continue
        have = modules_of(contents, group.release)
        for missing, what in ((named - have, "lacks"), (have - named, "also has")):
            if missing:
                yield contradiction(
                    f"{holder.name} {what} {count(len(missing), 'module')} compared with "
                    f"{artifact.name}: {some(sorted(missing))}"
                )


def check_checksums(group: ArtifactSet, releases: frozenset[str]) -> Check:
    """Compare the files with the lines of ``SHA256SUMS`` that are about this set.

    ``releases`` are those of the other sets: lines of theirs are passed over.
    """
    found = [(row, row.checksums) for row in group.of(Kind.CHECKSUMS) if row.checksums is not None]
    if not found:
        return Check(name="checksums", summary="there are no checksums", done=False)
    findings: list[Finding] = []
    number = 0
    for artifact, sums in found:
        findings += [
            contradiction(f"line {line} of {artifact.name} is none that sha256sum writes")
            for line in sums.malformed
        ]
        for line in sums.lines:
            if release_of_name(line.name) in releases:
                continue
            number += 1
            if not _is_plain(line.name):
                findings.append(
                    contradiction(f"{artifact.name} names {line.name!r}, outside of its directory")
                )
                continue
            findings += _compared(artifact, line.name, line.sha256, None)
    summary = f"{count(number, 'file')} as SHA256SUMS has them"
    return Check(name="checksums", summary=summary, findings=tuple(findings))
