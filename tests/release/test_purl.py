from __future__ import annotations

import dataclasses

import pytest
from packageurl import PackageURL

from rdcompose.compose.inputs import ArchiveOrigin, Input
from rdcompose.release.purl import package_url

KERNEL = Input(
    role="kernel",
    file="linux-image.deb",
    sha256="0" * 64,
    source="archive",
    package="linux-image-6.12.57+deb13-amd64",
    version="1:6.12.57-1~x",
    architecture="amd64",
    archive=ArchiveOrigin(
        label="Debian-Security", suite="trixie-security", path="p", verified=True
    ),
)


def labelled(label: str, suite: str) -> Input:
    assert KERNEL.archive is not None
    origin = dataclasses.replace(KERNEL.archive, label=label, suite=suite)
    return dataclasses.replace(KERNEL, archive=origin)


def test_a_package_url_reads_back() -> None:
    url = package_url(KERNEL)
    assert url is not None
    assert PackageURL.from_string(url) == PackageURL(
        "deb",
        "debian",
        "linux-image-6.12.57+deb13-amd64",
        "1:6.12.57-1~x",
        {"arch": "amd64", "distro": "trixie"},
    )
    assert "+" not in url


@pytest.mark.parametrize(
    ("label", "suite", "start", "end"),
    [
        ("Debian", "bookworm", "pkg:deb/debian/", "distro=bookworm"),
        ("Debian Backports", "bookworm-backports", "pkg:deb/debian/", "distro=bookworm"),
        ("Ubuntu", "noble-updates", "pkg:deb/ubuntu/", "distro=noble"),
    ],
)
def test_vendors(label: str, suite: str, start: str, end: str) -> None:
    url = package_url(labelled(label, suite))
    assert url is not None
    assert (url[: len(start)], url[-len(end) :]) == (start, end)


def test_who_is_not_known_has_none() -> None:
    assert package_url(labelled("Example", "stable")) is None
    assert package_url(labelled("", "stable")) is None
    assert package_url(dataclasses.replace(KERNEL, archive=None)) is None
    assert package_url(dataclasses.replace(KERNEL, package="")) is None
