"""Builders of .deb and .apk packages, in memory, with nothing but Python.

They are independent of the readers under test: tarfile writes the tars, the
standard library and zstandard compress them.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from typing import TYPE_CHECKING, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

MTIME: Final = 1_700_000_000

# What can stand for a file: its bytes, (mode, bytes), the target of a symlink, or any
# tar header; None is a directory.
Content = bytes | tuple[int, bytes] | str | tarfile.TarInfo | None

COMPRESSORS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "": lambda data: data,
    "gz": lambda data: gzip.compress(data, 6, mtime=0),
    "xz": lambda data: lzma.compress(data, preset=1),
    "zst": lambda data: zstandard.ZstdCompressor(level=3, write_checksum=True).compress(data),
    "bz2": bz2.compress,
    "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE, preset=1),
}


def make_ar(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Return an ar archive as dpkg-deb writes it."""
    out = [b"!<arch>\n"]
    for name, data in members:
        out.append(f"{name:<16}{MTIME:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode())
        out.append(data)
        out.append(b"\n" * (len(data) % 2))
    return b"".join(out)


def make_tar(
    files: Mapping[str, Content],
    *,
    prefix: str = "./",
    parents: bool = True,
    tar_format: int = tarfile.GNU_FORMAT,
    pax_headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a tar of the files in the given order, with their parent directories."""
    out = io.BytesIO()
    seen: set[str] = set()
    with tarfile.open(fileobj=out, mode="w", format=tar_format) as tar:
        if parents and prefix:
            tar.addfile(_header(prefix, None)[0])
        for path, content in files.items():
            parts = path.split("/")[:-1] if parents else []
            for parent in ("/".join(parts[: n + 1]) for n in range(len(parts))):
                if parent not in seen and parent not in files:
                    seen.add(parent)
                    tar.addfile(_header(prefix + parent, None)[0])
            header, data = _header(prefix + path, content)
            header.pax_headers = dict(pax_headers or {})
            tar.addfile(header, io.BytesIO(data))
    return out.getvalue()


def _header(name: str, content: Content) -> tuple[tarfile.TarInfo, bytes]:
    if isinstance(content, tarfile.TarInfo):
        content.name = name
        return content, b"\0" * content.size
    header = tarfile.TarInfo(name)
    header.mtime = MTIME
    header.uname = header.gname = "root"
    data = b""
    if content is None:
        header.type, header.mode = tarfile.DIRTYPE, 0o755
    elif isinstance(content, str):
        header.type, header.mode, header.linkname = tarfile.SYMTYPE, 0o777, content
    else:
        header.mode, data = content if isinstance(content, tuple) else (0o644, content)
        header.size = len(data)
    return header, data


def hard_link(target: str) -> tarfile.TarInfo:
    """Return the header of a hard link, for :func:`make_tar`."""
    header = tarfile.TarInfo()
    header.type, header.linkname, header.mtime = tarfile.LNKTYPE, target, MTIME
    return header


def control_text(control: Mapping[str, str] | None = None) -> str:
    """Return a control stanza; the three fields that every package has are filled in."""
    fields = {"Package": "sample", "Version": "1.0-1", "Architecture": "amd64", **(control or {})}
    return "".join(f"{name}: {value}\n" for name, value in fields.items())


def make_deb(
    files: Mapping[str, Content],
    *,
    control: Mapping[str, str] | None = None,
    data: str = "xz",
    control_data: str | None = None,
    data_tar: bytes | None = None,
) -> bytes:
    """Return a .deb of the files; ``data`` is the compressor's suffix or empty.

    ``control_data`` is the one of the control member, by default the same if allowed;
    ``data_tar`` replaces the plain tar.
    """
    if control_data is None:  # deb(5) knows neither bzip2 nor lzma for the control member
        control_data = "gz" if data in {"bz2", "lzma"} else data
    stanza = make_tar({"control": control_text(control).encode()})
    payload = make_tar(files) if data_tar is None else data_tar
    return make_ar(
        [
            ("debian-binary", b"2.0\n"),
            (_tar_name("control", control_data), COMPRESSORS[control_data](stanza)),
            (_tar_name("data", data), COMPRESSORS[data](payload)),
        ]
    )


def _tar_name(stem: str, suffix: str) -> str:
    return f"{stem}.tar.{suffix}" if suffix else f"{stem}.tar"


def cut_tar(tar: bytes) -> bytes:
    """Return a tar without its end-of-archive blocks, as apk's first two parts are."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as read:
        return tar[: max((-(-(m.offset_data + m.size) // 512) * 512 for m in read), default=0)]


def make_apk(
    files: Mapping[str, Content], *, info: Mapping[str, str] | None = None, signed: bool = True
) -> bytes:
    """Return an Alpine package (version 2): up to three gzip streams that make one tar."""
    fields = {"pkgname": "sample", "pkgver": "1.0-r0", "arch": "x86_64", **(info or {})}
    text = "# Generated by a test\n" + "".join(f"{k} = {v}\n" for k, v in fields.items())
    parts = [cut_tar(make_tar({".PKGINFO": text.encode()}, prefix=""))]
    if signed:
        signature = make_tar({".SIGN.RSA.test.rsa.pub": b"\1" * 256}, prefix="")
        parts.insert(0, cut_tar(signature))
    checksum = {"APK-TOOLS.checksum.SHA1": "0" * 40}
    parts.append(make_tar(files, prefix="", tar_format=tarfile.PAX_FORMAT, pax_headers=checksum))
    return b"".join(gzip.compress(part, 6, mtime=0) for part in parts)
