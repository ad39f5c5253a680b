from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.errors import UsageError
from rdcompose.release.builds import find_builds, named
from rdcompose.release.provenance import check_builder, provenance, provenance_name
from tests.support.packages import RELEASE
from tests.support.releases import TIMESTAMP, SampleBuild

if TYPE_CHECKING:
    from pathlib import Path


def statements(*directories: Path) -> dict[str, dict[str, Any]]:
    """Return the statements on builds by their names."""
    return {provenance_name(row): provenance(row) for row in named(find_builds(directories))}


def test_a_statement_names_what_came_out_and_what_went_in(tmp_path: Path) -> None:
    build = SampleBuild().write(tmp_path)
    (statement,) = statements(build).values()
    kernel = f"linux-image-{RELEASE}"
    predicate = statement.pop("predicate")
    assert statement == {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {
                "name": path.name,
                "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()},
            }
            for path in sorted(build.iterdir())
        ],
        "predicateType": "https://slsa.dev/provenance/v1",
    }
    dependencies = predicate["buildDefinition"].pop("resolvedDependencies")
    assert predicate == {
        "buildDefinition": {
            "buildType": "urn:rdcompose:build:1",
            "externalParameters": {
                "release": RELEASE,
                "architecture": "amd64",
                "options": {"profile": "minivm", "compress": "gzip:1", "disk": "remaining"},
            },
            "internalParameters": {"timestamp": TIMESTAMP},
        },
        "runDetails": {
            "builder": {
                "id": "urn:rdcompose:builder:unnamed",
                "version": {"rdcompose": "0.1.0"},
            }
        },
    }
    assert dependencies[0] == {
        "uri": f"pkg:deb/debian/{kernel}@6.1.1-1?arch=amd64&distro=bookworm",
        "name": f"{kernel}_6.1.1-1_amd64.deb",
        "digest": {"sha256": hashlib.sha256(f"{kernel} 6.1.1-1".encode()).hexdigest()},
        "annotations": {
            "role": "kernel",
            "source": "archive",
            "package": kernel,
            "version": "6.1.1-1",
        },
    }
    assert dependencies[-1] == {
        "name": "ramdisk-template",
        "digest": {"sha256": "a" * 64},
        "annotations": {"role": "template", "source": "built in"},
    }


def test_each_build_has_its_own_with_the_released_names(tmp_path: Path) -> None:
    found = statements(
        SampleBuild().write(tmp_path / "one"),
        SampleBuild(profile="virtio").write(tmp_path / "two"),
    )
    assert list(found) == [f"provenance-{RELEASE}.one.json", f"provenance-{RELEASE}.two.json"]
    names = {row["name"] for row in found[f"provenance-{RELEASE}.two.json"]["subject"]}
    assert f"manifest-{RELEASE}.two.json" in names
    assert f"vmlinuz-{RELEASE}" in names


@pytest.mark.parametrize("text", ["https://ci.example.org/a?b=c#d", "urn:x:y", "mailto:a@b"])
def test_builders(text: str) -> None:
    assert check_builder(text) == text


@pytest.mark.parametrize("text", ["", "ci", "//ci", "https://a b", "1x:y", "https:", "x:ü"])
def test_what_is_no_uri_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no URI"):
        check_builder(text)
