"""Whether all parts are whole, and of one release: by content, by name, by configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.errors import SpecError
from rdcompose.inspect.artifact import Artifact, Disk, Kind
from rdcompose.inspect.checks.machine import architectures
from rdcompose.inspect.findings import (
    Check,
    Finding,
    contradiction,
    contradictions,
    count,
    remark,
    some,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rdcompose.inspect.collection import ArtifactSet
    from rdcompose.inspect.contents import Contents
    from rdcompose.kernel.config import KernelConfig


def check_readable(group: ArtifactSet) -> Check:
    """Look for what is damaged, and for what a kernel does not unpack though others do."""
    findings: list[Finding] = []
    for artifact in group.artifacts:
        if artifact.problem is not None:
            findings.append(contradiction(f"{artifact.name} cannot be read: {artifact.problem}"))
        elif artifact.kind is Kind.FILESYSTEM:
            findings.append(remark(f"{artifact.name} was not looked into: {artifact.what}"))
        findings += _of_segments(artifact)
        if artifact.contents is not None:
            findings += _inside_of(artifact.name, artifact.contents)
    summary = f"{count(len(group.artifacts), 'file')} can be read"
    return Check(name="files", summary=summary, findings=tuple(findings))


def _inside_of(name: str, contents: Contents) -> Iterator[Finding]:
    damaged = (f"{row.path} in {name} is damaged: {row.why}" for row in contents.damaged)
    yield from contradictions(damaged, more="files")
    lost = contents.lost
    if lost:
        yield contradiction(
            f"the kernel leaves out {count(len(lost), 'file')} of {name}, because "
            f"{lost[0].why}: {some([row.path for row in lost])}"
        )


def _of_segments(artifact: Artifact) -> Iterator[Finding]:
    if artifact.initramfs is not None:
        for segment in artifact.initramfs.segments:
            if segment.refused is not None:
                yield contradiction(f"{artifact.name} would not be unpacked: {segment.refused}")


def check_release(group: ArtifactSet) -> Check:
    """Compare what the parts say of their release."""
    release = group.release
    if release is None:
        return Check(name="release", summary="nothing tells a release", done=False)
    inside = list(_inside(group))
    named = [(_by_name(artifact), artifact.claimed) for artifact in _named(group)]
    said_so = next((where for where, said in (*inside, *named) if said == release), None)
    first = "all is to be" if said_so is None else f"{said_so} is"
    findings = list(_differing(inside, release, first))
    for artifact, contents in group.holders:
        findings += _directories(artifact, contents, release, first)
    findings += _named_otherwise(group, release, first)
    if not group.of(Kind.KERNEL):
        findings.append(remark("there is no kernel among the files"))
    return Check(name="release", summary=f"all is of {release}", findings=tuple(findings))


def _inside(group: ArtifactSet) -> Iterator[tuple[str, str]]:
    """Yield what says a release by its content, and which; the kernel first."""
    for artifact in group.of(Kind.KERNEL):
        if artifact.image is not None and artifact.image.release is not None:
            yield f"the kernel in {artifact.name}", artifact.image.release
    for artifact in group.of(Kind.UKI):
        if artifact.uname is not None:
            yield f".uname of {artifact.name}", artifact.uname
    for artifact in group.of(Kind.MANIFEST):
        if artifact.manifest is not None:
            yield f"the composition of {artifact.name}", str(artifact.manifest.get("release"))


def _named(group: ArtifactSet) -> list[Artifact]:
    """Return what says a release by its name."""
    return [artifact for artifact in group.artifacts if artifact.claimed is not None]


def _by_name(artifact: Artifact) -> str:
    return f"the {artifact.kind.value} {artifact.name}, by its name,"


def _named_otherwise(group: ArtifactSet, release: str, first: str) -> Iterator[Finding]:
    """Yield one finding for each other release, however many files are named after it."""
    others: dict[str, list[Artifact]] = {}
    for artifact in _named(group):
        if artifact.claimed != release:
            others.setdefault(str(artifact.claimed), []).append(artifact)
    for said, named in others.items():
        if len(named) == 1:
            yield contradiction(f"{first} of {release}, but {_by_name(named[0])} is of {said}")
        else:
            yield contradiction(
                f"{first} of {release}, but {count(len(named), 'file')} are, by their names, of "
                f"{said}: {some([row.name for row in named])}"
            )


def _differing(claims: Iterable[tuple[str, str]], release: str, first: str) -> Iterator[Finding]:
    for where, said in claims:
        if said != release:
            yield contradiction(f"{first} of {release}, but {where} is of {said}")


def _directories(
    artifact: Artifact, contents: Contents, release: str, first: str
) -> Iterator[Finding]:
    others = [name for name in contents.directories if name != release]
    if others and release in contents.directories:
        yield remark(f"{artifact.name} also has module directories of {some(others)}")
    elif others:
        yield contradiction(
            f"{first} of {release}, but {artifact.name} has modules of {some(others)}"
        )
    elif not contents.modules and not (artifact.initramfs and artifact.initramfs.only_microcode):
        yield remark(f"{artifact.name} has no modules")


def check_config(group: ArtifactSet) -> Check:
    """Compare the configuration with the kernel, and with what the kernel is to unpack."""
    configs = [(row, row.config) for row in group.of(Kind.CONFIG) if row.config is not None]
    release = group.release
    if not configs or release is None:
        return Check(
            name="configuration", summary="there is no configuration to compare with", done=False
        )
    findings: list[Finding] = []
    for artifact, config in configs:
        reasons = [config.contradiction(release, row) for row in architectures(group)]
        reasons = reasons or [config.contradiction(release)]
        if None not in reasons:
            findings.append(contradiction(f"{artifact.name} is not of {release}: {reasons[0]}"))
            continue
        findings += _missing(group, config, artifact.name)
    return Check(
        name="configuration",
        summary=f"{some([row.name for row, _ in configs])} fits and lets the kernel read all",
        findings=tuple(findings),
    )


def _missing(group: ArtifactSet, config: KernelConfig, name: str) -> Iterator[Finding]:
    for artifact in group.artifacts:
        needed: dict[str, tuple[str, ...]] = {}
        if artifact.initramfs is not None:
            names = {segment.compression for segment in artifact.initramfs.segments}
            needed = {row: config.missing_for_initramfs(row) for row in sorted(names)}
        elif artifact.disk is not None:
            needed = _for_disk(config, artifact.disk)
        for compressor, missing in needed.items():
            if missing:
                how = "as it is" if compressor == "none" else f"compressed with {compressor}"
                yield contradiction(
                    f"the kernel cannot read {artifact.name}, which is {how}: by {name} it lacks "
                    f"{', '.join(missing)}"
                )


def _for_disk(config: KernelConfig, disk: Disk) -> dict[str, tuple[str, ...]]:
    if disk.compressor is None:
        return {"none": config.missing_for_filesystem(disk.filesystem)}
    try:
        return {disk.compressor: config.missing_for_squashfs(disk.compressor)}
    except SpecError:
        return {disk.compressor: ("what no kernel has: a squashfs with this compressor",)}
