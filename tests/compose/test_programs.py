"""rdcompose.compose.programs"""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from rdcompose.compose.program_source import Origin, SourceKind
from rdcompose.compose.programname import ProgramName
from rdcompose.compose.programs import (
    applet_links,
    e2fsck_links,
    load_program,
    program_entries,
)
from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.kernel.release import ARCHITECTURES
from rdcompose.tree import Bytes, File, Symlink
from tests.support.debs import hard_link, make_apk, make_deb
from tests.support.programs import APPLETS, make_busybox, make_e2fsck, make_program

AMD64, ARM64 = ARCHITECTURES["amd64"], ARCHITECTURES["arm64"]
BUSYBOX, E2FSCK = make_busybox(), make_e2fsck()
DYNAMIC = make_program(b"BusyBox", interpreter="/lib64/ld.so", needed=["libc.so.6"], kind=3)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_program_file() -> None:
    program = load_program("busybox", BUSYBOX, "bb", architecture=AMD64)
    assert program.name is ProgramName.BUSYBOX
    assert program.content == BUSYBOX
    assert program.architecture is AMD64
    assert program.origin == Origin(
        name="bb", kind=SourceKind.PROGRAM, sha256=digest(BUSYBOX), size=len(BUSYBOX)
    )


@pytest.mark.parametrize("path", ["bin/busybox", "usr/bin/busybox", "sbin/busybox.static"])
def test_busybox_of_a_deb(path: str) -> None:
    control = {"Package": "busybox-static", "Version": "1:1.37.0-6", "Architecture": "amd64"}
    data = make_deb({"usr/share/doc/x": b"x", path: (0o755, BUSYBOX)}, control=control)
    program = load_program(ProgramName.BUSYBOX, data, "b.deb", architecture=AMD64)
    assert program.content == BUSYBOX
    assert program.origin == Origin(
        name="b.deb",
        kind=SourceKind.DEB,
        sha256=digest(data),
        size=len(data),
        path=path,
        package="busybox-static",
        version="1:1.37.0-6",
        architecture="amd64",
    )


def test_busybox_of_an_apk() -> None:
    # Alpine's busybox-static has one file; its busybox has a dynamic one beside links.
    info = {"pkgname": "busybox-static", "pkgver": "1.37.0-r14", "arch": "aarch64"}
    content = make_busybox(machine=183)
    data = make_apk({"bin/busybox.static": (0o755, content)}, info=info)
    program = load_program("busybox", data, "b.apk", architecture=ARM64)
    assert program.content == content
    assert program.origin == Origin(
        name="b.apk",
        kind=SourceKind.APK,
        sha256=digest(data),
        size=len(data),
        path="bin/busybox.static",
        package="busybox-static",
        version="1.37.0-r14",
        architecture="aarch64",
    )


class Keeper(dict[str, bytes]):
    """What was worked out before, which counts what it gives."""

    given = 0

    def get(self, key: str, /) -> bytes | None:  # type: ignore[override]
        value = super().get(key)
        self.given += value is not None
        return value

    def put(self, key: str, value: bytes, /) -> None:
        self[key] = value


@pytest.mark.parametrize("form", ["deb", "apk"])
def test_a_package_that_was_read_before_gives_the_same(form: str) -> None:
    make = {"deb": make_deb, "apk": make_apk}[form]
    data = make({"bin/busybox": (0o755, BUSYBOX)})  # type: ignore[operator]
    kept = Keeper()
    first = load_program("busybox", data, "one", architecture=AMD64, kept=kept)
    again = load_program("busybox", data, "two", architecture=AMD64, kept=kept)
    assert kept.given == 1
    assert again == load_program("busybox", data, "two", architecture=AMD64)
    assert dataclasses.replace(again.origin, name="one") == first.origin
    with pytest.raises(SpecError, match="is for 64-bit x86-64, but the kernel is arm64"):
        load_program("busybox", data, "two", architecture=ARM64, kept=kept)


@pytest.mark.parametrize("content", [DYNAMIC, E2FSCK])
def test_what_does_not_serve_is_not_kept(content: bytes) -> None:
    kept = Keeper()
    data = make_deb({"bin/busybox": (0o755, content)})
    for _ in range(2):
        with pytest.raises(SpecError, match=r"is not static|but not busybox"):
            load_program("busybox", data, "x", architecture=AMD64, kept=kept)
    assert kept == {}


def test_a_program_file_is_not_kept() -> None:
    kept = Keeper()
    load_program("busybox", BUSYBOX, "x", architecture=AMD64, kept=kept)
    assert kept == {}


def test_e2fsck_of_a_deb() -> None:
    files = {"sbin/e2fsck": (0o755, DYNAMIC), "sbin/e2fsck.static": (0o755, E2FSCK)}
    program = load_program("e2fsck", make_deb(files), "e.deb", architecture=AMD64)
    assert (program.content, program.origin.path) == (E2FSCK, "sbin/e2fsck.static")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        pytest.param(
            "busybox",
            make_busybox(machine=183),
            "X is for 64-bit AArch64, but the kernel is amd64 (64-bit x86-64)",
            id="machine",
        ),
        pytest.param(
            "busybox",
            make_busybox(bits=32),
            "X is for 32-bit x86-64, but the kernel is amd64 (64-bit x86-64)",
            id="bits",
        ),
        pytest.param(
            "e2fsck",
            make_e2fsck(machine=22, byteorder="big"),
            "X is for 64-bit IBM S/390, but the kernel is amd64 (64-bit x86-64)",
            id="byte order",
        ),
        pytest.param(
            "busybox",
            DYNAMIC,
            "X is not static: busybox needs /lib64/ld.so, libc.so.6",
            id="dynamic",
        ),
        pytest.param(
            "busybox",
            make_program(kind=1),
            "X is an ELF file, but no program that can be started",
            id="object",
        ),
        pytest.param(
            "busybox",
            E2FSCK,
            "X is a program, but not busybox: it holds no table of applets",
            id="e2fsck for busybox",
        ),
        pytest.param("e2fsck", BUSYBOX, "X is a program, but not e2fsck", id="busybox for e2fsck"),
        pytest.param(
            "e2fsck",
            b"#!/bin/sh",
            "X is neither a program (ELF) nor a .deb nor an .apk",
            id="script",
        ),
        pytest.param(
            "busybox", b"", "X is neither a program (ELF) nor a .deb nor an .apk", id="empty"
        ),
        pytest.param(
            "e2fsck",
            make_deb({"bin/busybox": BUSYBOX}),
            "X is a package without e2fsck",
            id="other package",
        ),
        pytest.param(
            "busybox",
            make_apk({"bin/sh": "busybox", "bin/busybox": None}),
            "X is a package without busybox",
            id="directory of the name",
        ),
        pytest.param(
            "busybox",
            make_deb({"bin/other": BUSYBOX, "bin/busybox": hard_link("./bin/other")}),
            "X is a package without busybox",
            id="hard link of the name",
        ),
        pytest.param(
            "busybox",
            make_apk({"bin/busybox": DYNAMIC}),
            "bin/busybox in X is not static: busybox needs /lib64/ld.so, libc.so.6",
            id="dynamic in a package",
        ),
    ],
)
def test_refused(name: str, data: bytes, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_program(name, data, "X", architecture=AMD64)
    assert caught.value.message == message
    assert caught.value.hint is not None
    assert f"{name}-static" in caught.value.hint


def test_armhf_programs_pass_for_armel_and_back() -> None:
    data = make_busybox(machine=40, bits=32)
    for name in ("armhf", "armel"):
        architecture = ARCHITECTURES[name]
        assert load_program("busybox", data, "x", architecture=architecture).content == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(BUSYBOX[:50], "b.x: the ELF file is damaged", id="program"),
        pytest.param(make_deb({"bin/busybox": BUSYBOX})[:-100], "b.x: ", id="deb"),
        pytest.param(make_apk({"bin/busybox": BUSYBOX})[:-30], "b.x: ", id="apk"),
        pytest.param(
            make_deb({"bin/busybox": b"\x7fELF but no more"}), "b.x: the ELF file", id="in a deb"
        ),
        pytest.param(make_deb({"bin/busybox": b""}), "b.x: no ELF file", id="empty in a deb"),
    ],
)
def test_damaged(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        load_program("busybox", data, "b.x", architecture=AMD64)


def test_newer_apk() -> None:
    with pytest.raises(UnsupportedError, match=r"^b\.apk: .*version 3"):
        load_program("busybox", b"ADBd" + bytes(100), "b.apk", architecture=AMD64)


def test_unknown_program() -> None:
    with pytest.raises(ValueError, match="bash"):
        load_program("bash", BUSYBOX, "x", architecture=AMD64)


LINKS = (
    "bin/ash",
    "bin/cat",
    "bin/ls",
    "bin/mkdir",
    "bin/mount",
    "bin/sed",
    "bin/sh",
    "bin/umount",
    "linuxrc",
    "sbin/init",
    "sbin/insmod",
    "sbin/modprobe",
    "sbin/switch_root",
    "usr/bin/[",
    "usr/bin/awk",
    "usr/sbin/chroot",
)


def test_applet_links() -> None:
    assert applet_links(BUSYBOX) == LINKS
    assert applet_links(BUSYBOX, required=["modprobe", "sh"]) == LINKS


def test_links_that_the_kernel_and_scripts_count_on() -> None:
    # Places as in a busybox that was configured for a merged /usr.
    merged = dict.fromkeys(APPLETS, "usr/bin")
    links = applet_links(make_busybox(merged, places=True))
    assert {"sbin/modprobe", "bin/sh"} <= set(links)
    small = {name: place for name, place in APPLETS.items() if name not in {"modprobe", "sh"}}
    assert not {"sbin/modprobe", "bin/sh"} & set(applet_links(make_busybox(small)))


def test_missing_applets() -> None:
    with pytest.raises(SpecError) as caught:
        applet_links(BUSYBOX, required=["udhcpc", "mount", "fstrim"])
    assert caught.value.message == "this busybox lacks the applets fstrim, udhcpc"
    assert caught.value.hint is not None
    assert "busybox-static" in caught.value.hint


def test_busybox_entries() -> None:
    program = load_program("busybox", BUSYBOX, "bb", architecture=AMD64)
    file, *links = program_entries(program, required=["mount"])
    assert file == File(path="bin/busybox", mode=0o755, content=Bytes(BUSYBOX))
    targets = {link.path: link.target for link in links if isinstance(link, Symlink)}
    assert tuple(targets) == LINKS
    assert [targets[path] for path in ("bin/sh", "linuxrc", "sbin/init", "usr/bin/[")] == [
        "busybox",
        "bin/busybox",
        "../bin/busybox",
        "../../bin/busybox",
    ]
    with pytest.raises(SpecError, match="lacks the applets tac"):
        program_entries(program, required=["tac"])


def test_e2fsck_entries() -> None:
    program = load_program("e2fsck", E2FSCK, "e", architecture=AMD64)
    assert program_entries(program) == (
        File(path="sbin/e2fsck", mode=0o755, content=Bytes(E2FSCK)),
        *(Symlink(path=path, target="e2fsck") for path in e2fsck_links()),
    )
    assert e2fsck_links() == ("sbin/fsck.ext2", "sbin/fsck.ext3", "sbin/fsck.ext4")
