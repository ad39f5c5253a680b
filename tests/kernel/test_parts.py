from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.errors import UnsupportedError
from rdcompose.formats.deb import Kind, Member
from rdcompose.kernel.moduletree import ModuleIntake
from rdcompose.kernel.parts import Parts

if TYPE_CHECKING:
    from collections.abc import Iterator

A, B = "6.1-a", "6.1-b"


@pytest.fixture
def intake() -> Iterator[ModuleIntake]:
    with ModuleIntake(threads=1) as opened:
        yield opened


def member(path: str, content: bytes = b"", *, kind: Kind = Kind.FILE, mtime: int = 1) -> Member:
    return Member(path=path, kind=kind, mode=0o644, size=len(content), mtime=mtime, content=content)


def take(parts: Parts, *members: Member) -> None:
    for one in members:
        parts.take(one)


def test_the_best_kernel_of_each_release(intake: ModuleIntake) -> None:
    parts = Parts([], intake, None)
    take(
        parts,
        member(f"usr/lib/modules/{A}/vmlinuz", b"beside"),
        member(f"boot/vmlinux-{A}", b"unpacked"),
        member(f"boot/vmlinuz-{A}", b"packed"),
        member(f"lib/modules/{B}/vmlinux", b"unpacked"),
        member(f"lib/modules/{B}/vmlinuz", b"beside"),
        member("boot/kernel8.img", b"8"),
        member("boot/kernel7.img", b"7"),
    )
    assert [file.content for file in parts.images()] == [b"packed", b"beside", b"7", b"8"]
    assert parts.kernels() == [A, B]


def test_one_release(intake: ModuleIntake) -> None:
    parts = Parts([], intake, A)
    paths = [f"boot/vmlinuz-{A}", "boot/kernel.img", f"boot/config-{A}", f"lib/modules/{A}/a.ko"]
    assert all(map(parts.wanted, paths))
    assert not any(map(parts.wanted, (path.replace(A, B) for path in paths if A in path)))
    take(parts, member(f"boot/config-{B}"), member(f"boot/vmlinuz-{B}"), member(f"boot/config-{A}"))
    assert list(parts.configs) == [A]
    assert (parts.images(), parts.kernels()) == ([], [B])
    assert [claim.release for claim in parts.claims()] == [A]


def test_what_is_not_wanted(intake: ModuleIntake) -> None:
    parts = Parts([], intake, None)
    for path in (f"lib/modules/{A}/modules.dep.bin", f"boot/System.map-{A}", "usr/share/x"):
        assert not parts.wanted(path)


def test_links_and_files_that_are_only_names(intake: ModuleIntake) -> None:
    parts = Parts([], intake, None)
    take(
        parts,
        member("boot/vmlinuz", kind=Kind.SYMLINK),
        member(f"lib/modules/{A}/vmlinuz", kind=Kind.SYMLINK),
        member(f"lib/modules/{A}/config", kind=Kind.SYMLINK),
        member("lib/modules/README"),
    )
    assert (parts.images(), parts.configs, list(parts.claims())) == ([], {}, [])
    take(parts, member(f"lib/modules/{A}", kind=Kind.DIRECTORY))
    assert [claim.where for claim in parts.claims()] == [f"the module directory lib/modules/{A}"]


@pytest.mark.parametrize(
    "path", [f"boot/vmlinuz-{A}", f"boot/config-{A}", f"lib/modules/{A}/modules.order"]
)
def test_links_where_files_must_be(intake: ModuleIntake, path: str) -> None:
    parts = Parts([], intake, None)
    with pytest.raises(UnsupportedError, match="is a symlink, not a regular file"):
        parts.take(member(path, kind=Kind.SYMLINK))


def test_time_is_not_that_of_indexes(intake: ModuleIntake) -> None:
    parts = Parts([], intake, None)
    take(
        parts,
        member("usr/share/doc/x", mtime=7),
        member(f"boot/config-{A}", mtime=5),
        member(f"lib/modules/{A}/modules.dep", mtime=9),
    )
    assert parts.timestamp == 7
