"""GNS3: an appliance whose newest version is of this release, made from a template.

The template is an appliance: one of an earlier release, or one written by hand. Its first version
says which disk of the machine is what: names that begin as files of a build do stand for these,
all others (the root's disk) are kept.

Reference: schemas/appliance_v4.json to appliance_v8.json of https://github.com/GNS3/gns3-registry,
and its checks.py, which refuses images that are listed twice or used without being listed.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from rdcompose.compose.inputs import read_file
from rdcompose.errors import SpecError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rdcompose.release.builds import Build
    from rdcompose.release.draft import Draft
    from rdcompose.release.place import Placed

# The entries alone, to be put into an appliance by hand.
IMAGES: Final = "gns3a-images.json"
SUFFIX: Final = ".gns3a"
# From 8 on the machine is described in "settings".
_VERSIONS: Final = range(4, 9)
# What a machine gets where the template does not say: the first disk is the root's.
_MODEL: Final = {
    "kernel_image": "vmlinuz-R",
    "initrd": "initramfs-R",
    "hdb_disk_image": "modules-R.qcow2",
}
_PLATFORMS: Final = {
    "x86_64": {"amd64"},
    "i386": {"i386"},
    "aarch64": {"arm64"},
    "arm": {"armhf", "armel"},
    "mips": {"mips"},
    "mipsel": {"mipsel"},
    "mips64el": {"mips64el"},
    "ppc": {"powerpc"},
    "ppc64": {"ppc64", "ppc64el"},
    "s390x": {"s390x"},
}
_FILE: Final = re.compile(r"(vmlinu[xz]|initramfs|modules)-.+")
_URL: Final = re.compile(r"https?://[A-Za-z0-9.\-_~:/?#\[\]@!$&'()*+,;=%]+")
Object = dict[str, Any]


class _MalformedError(Exception):
    """Something in a template is not what it should be."""


def appliance(path: Path, draft: Draft, url: str | None) -> bytes:
    """Return an appliance of the builds that fit the machine of a template.

    ``url`` is where the files of the release will be found, if that is known.

    :raises SpecError: the template is no appliance, or no build fits its machine.
    """
    data = _read(path)
    architectures = _PLATFORMS.get(platform := _platform(path, data), set())
    builds = [build for build in draft.builds if build.architecture in architectures]
    if not builds:
        have = ", ".join(dict.fromkeys(build.architecture for build in draft.builds))
        raise SpecError(
            f"{path} is an appliance for {platform}, and no build is",
            hint=f"there is {have}",
        )
    model = data["versions"][0] if data["versions"] else {"images": _MODEL}
    if not any(_kind(name) for name in model["images"].values()):
        raise SpecError(
            f"the first version in {path} uses no file of a build",
            hint="it says which image is what by names like vmlinuz-R, initramfs-R and "
            "modules-R.qcow2",
        )
    versions = [_version(build, model) for build in builds]
    merged = _merged(data, _images(versions, draft, url), versions)
    _check_listed(path, merged, versions)
    return _to_json(merged)


def images_alone(draft: Draft, url: str | None) -> bytes:
    """Return the entries of images and versions for all builds, to be put into an appliance."""
    versions = [_version(build, {"images": _MODEL}) for build in draft.builds]
    return _to_json({"images": _images(versions, draft, url), "versions": versions})


def check_url(text: str) -> str:
    """Return the text if it is an address that files can lie below.

    :raises UsageError: it is none.
    """
    if _URL.fullmatch(text) is None:
        raise UsageError(f"{text!r} is no http or https address")
    return text


def _to_json(data: Object) -> bytes:
    return (json.dumps(data, indent=4, ensure_ascii=False) + "\n").encode()


def _read(path: Path) -> Object:
    content = read_file(path, "template")
    if path.suffix != SUFFIX:
        raise SpecError(f"{path} is no template of an appliance: its name does not end in {SUFFIX}")
    try:
        return _checked(json.loads(content))
    except (ValueError, RecursionError, _MalformedError) as error:
        raise SpecError(
            f"{path} is no appliance of GNS3: {error}",
            hint="give a .gns3a file of the registry's version 4 to 8",
        ) from error


def _checked(data: object) -> Object:
    """Return an appliance with lists of images and versions that are what they should be."""
    if not isinstance(data, dict) or not isinstance(data.get("name"), str):
        raise _MalformedError("it has no name")
    if data.get("registry_version") not in _VERSIONS:
        raise _MalformedError(f"its registry_version is {data.get('registry_version')!r}")
    lists: dict[str, list[Object]] = {"images": [], "versions": []}
    for key in lists:
        rows = data.get(key, [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise _MalformedError(f"its {key} are no list of objects")
        lists[key] = rows
    if not all(isinstance(row.get("filename"), str) for row in lists["images"]):
        raise _MalformedError("it has an image without filename")
    for key, name in (("images", "md5sum"), ("images", "checksum"), ("versions", "name")):
        if not all(isinstance(row.get(name, ""), str) for row in lists[key]):
            raise _MalformedError(f"a {name} among its {key} is no text")
    for row in lists["versions"]:
        used = row.get("images")
        if not isinstance(used, dict) or not all(isinstance(x, str) for x in used.values()):
            raise _MalformedError(f"the images of its version {row.get('name')!r} are no names")
    return data | lists


def _platform(path: Path, data: Object) -> str:
    """Return what QEMU emulates, by its own name."""
    for machine in _machines(data):
        name = machine.get("platform", machine.get("arch"))
        if isinstance(name, str):
            return name
    raise SpecError(f"{path} describes no machine of QEMU, which alone boots these files")


def _machines(data: Object) -> Iterator[Object]:
    if isinstance(machine := data.get("qemu"), dict):
        yield machine
    settings = data.get("settings")
    for row in settings if isinstance(settings, list) else ():
        properties = row.get("template_properties") if isinstance(row, dict) else None
        if isinstance(properties, dict) and row.get("template_type") == "qemu":
            yield properties


def _kind(name: str) -> str | None:
    found = _FILE.fullmatch(name)
    return None if found is None else found[1].replace("vmlinux", "vmlinuz")


def _version(build: Build, model: Mapping[str, Any]) -> Object:
    """Return the version that a build is, made as the model is."""
    files: dict[str, str] = {}
    for own, name in build.names.items():
        if (kind := _kind(own)) is not None:
            files[kind] = name
    images = {}
    for slot, name in model["images"].items():
        kind = _kind(name)
        if kind is None or kind in files:
            images[slot] = name if kind is None else files[kind]
    return {**model, "name": build.name, "images": images}


def _images(versions: Sequence[Object], draft: Draft, url: str | None) -> list[Object]:
    """Return an entry for each file of the release that versions use."""
    files = {file.name: file for file in draft.files}
    found: dict[str, Object] = {}
    for version in versions:
        for name in version["images"].values():
            if name in files and name not in found:
                found[name] = _image(files[name], version["name"], url)
    return list(found.values())


def _image(file: Placed, version: str, url: str | None) -> Object:
    entry: Object = {
        "filename": file.name,
        "version": version,
        "md5sum": file.md5,
        "filesize": file.size,
    }
    if url is not None:
        base = url.rstrip("/")
        entry |= {
            "download_url": base,
            # A "+" in a name would be read as a space.
            "direct_download_url": f"{base}/{quote(file.name, safe='')}",
        }
    return entry


def _check_listed(path: Path, data: Object, versions: Sequence[Object]) -> None:
    listed = {row["filename"] for row in data["images"]}
    for version in versions:
        for name in version["images"].values():
            if name not in listed:
                raise SpecError(
                    f"the first version in {path} uses {name}, which its images do not list",
                    hint="GNS3 takes only images whose size and MD5 are listed",
                )


def _merged(data: Object, images: list[Object], versions: list[Object]) -> Object:
    """Return an appliance with new images and versions in front of those it has."""
    names = {row["filename"] for row in images}
    sums = {row["md5sum"] for row in images}
    kept = [
        row
        for row in data["images"]
        if row["filename"] not in names and row.get("md5sum", row.get("checksum")) not in sums
    ]
    listed = names | {row["filename"] for row in kept}
    new = {row["name"] for row in versions}
    earlier = [
        row
        for row in data["versions"]
        if row.get("name") not in new and listed.issuperset(row["images"].values())
    ]
    return data | {"images": [*images, *kept], "versions": [*versions, *earlier]}
