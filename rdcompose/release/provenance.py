"""Where the files of a build come from: a statement of in-toto with SLSA's provenance, for each.

It is not signed by itself: who signs the checksums of a release, signs it with them.

References:
- https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
- https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from rdcompose.errors import UsageError
from rdcompose.release.purl import package_url

if TYPE_CHECKING:
    from rdcompose.compose.inputs import Input
    from rdcompose.release.builds import Build

STATEMENT: Final = "https://in-toto.io/Statement/v1"
PREDICATE: Final = "https://slsa.dev/provenance/v1"
# What the parameters below mean; they are described in docs/release.md.
BUILD_TYPE: Final = "urn:rdcompose:build:1"
# Of a build whose platform nobody named.
UNNAMED: Final = "urn:rdcompose:builder:unnamed"
# RFC 3986: a scheme, and no character that has to be escaped.
_URI: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")


def check_builder(text: str) -> str:
    """Return the text if it is a URI that names who builds.

    :raises UsageError: it is none.
    """
    if _URI.fullmatch(text) is None:
        raise UsageError(
            f"{text!r} is no URI",
            hint="name the platform that built, as https://ci.example.org/kernels",
        )
    return text


def provenance_name(build: Build) -> str:
    """Return the name of the statement on a build."""
    return f"provenance-{build.name}.json"


def provenance(build: Build, *, builder: str = UNNAMED) -> dict[str, Any]:
    """Return the statement on the files of a build as JSON-ready data.

    Times of the build are left out: they would differ with each, and its files do not.
    """
    lock = build.record.lock
    tool = build.record.data.get("tool")
    version = tool.get("version") if isinstance(tool, dict) else None
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": name, "digest": {"sha256": sha256}}
            for name, sha256 in sorted((build.names[f.name], f.sha256) for f in build.files)
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "release": lock.release,
                    "architecture": lock.architecture,
                    "options": dict(lock.options),
                },
                "internalParameters": {"timestamp": lock.timestamp},
                "resolvedDependencies": [_dependency(item) for item in lock.inputs],
            },
            "runDetails": {
                "builder": {
                    "id": builder,
                    **({"version": {"rdcompose": version}} if isinstance(version, str) else {}),
                }
            },
        },
    }


def _dependency(item: Input) -> dict[str, Any]:
    url = package_url(item)
    notes = {"role": item.role, "source": item.source}
    if item.package:
        notes |= {"package": item.package, "version": item.version}
    return {
        **({} if url is None else {"uri": url}),
        "name": item.file,
        "digest": {"sha256": item.sha256},
        "annotations": notes,
    }
