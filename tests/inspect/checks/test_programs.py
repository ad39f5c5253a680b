from __future__ import annotations

import pytest

from rdcompose.inspect.checks.programs import check_init, check_links, check_programs
from tests.support.artifacts import (
    Content,
    contradictions,
    disk,
    disk_files,
    group,
    initramfs,
    initramfs_files,
    kernel,
    remarks,
)
from tests.support.packages import RELEASE
from tests.support.programs import make_library, make_program

MICROCODE = {"kernel/x86/microcode/AuthenticAMD.bin": b"x"}


def changed(**files: Content) -> dict[str, Content]:
    return initramfs_files() | files


class TestInit:
    def test_sound(self) -> None:
        assert check_init(group()).findings == ()
        assert not check_init(group(kernel(), disk())).done
        assert not check_init(group(initramfs(dict(MICROCODE)))).done

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "has an /init that is no file"),
            ((0o644, b"#!/bin/sh\n"), "that cannot be executed: its mode is 0644"),
            ((0o755, b"echo\n"), "is neither a program nor a script"),
            ((0o755, b""), "is neither a program nor a script"),
            ((0o755, b"#!/bin/bash -e\n"), "has an /init for /bin/bash, which is not there"),
            ((0o755, b"#! /etc/mtab"), "for /etc/mtab, which is not there"),
            ((0o755, b"#!/usr/lib64/libc.so.6\n"), "which cannot be executed"),
            ((0o755, b"#!\n"), "for , which cannot be executed"),
            ("sbin/init", "has an /init that leads to sbin/init, which is not there"),
        ],
    )
    def test_what_cannot_be_started(self, content: Content, message: str) -> None:
        [found] = contradictions(check_init(group(initramfs(changed(init=content)))))
        assert found.startswith(f"initramfs-{RELEASE} has ")
        assert message in found

    def test_none_at_all(self) -> None:
        files = initramfs_files()
        del files["init"]
        [found] = contradictions(check_init(group(initramfs(files))))
        assert "has no /init: the kernel would not run it" in found
        # One of several is enough.
        assert check_init(group(initramfs(files), initramfs())).findings == ()

    @pytest.mark.parametrize("init", ["bin/busybox", "/bin/sh", "lib64/ld.so.2"])
    def test_programs_behind_links(self, init: str) -> None:
        assert check_init(group(initramfs(changed(init=init)))).findings == ()


class TestPrograms:
    def test_sound(self) -> None:
        check = check_programs(group())
        assert (check.findings, check.summary) == (
            (),
            "4 programs and libraries find what they are linked with",
        )
        assert not check_programs(group(kernel())).done

    def test_no_dynamic_linker(self) -> None:
        program = (0o755, make_program(interpreter="/lib/ld-linux.so.2", needed=["libc.so.6"]))
        [found] = contradictions(check_programs(group(initramfs(changed(probe=program)))))
        assert found == f"probe in initramfs-{RELEASE} needs /lib/ld-linux.so.2, which is not there"

    def test_no_library(self) -> None:
        program = (0o755, make_program(interpreter="/lib64/ld.so.2", needed=["libm.so.6", "libz"]))
        [found] = contradictions(check_programs(group(initramfs(changed(probe=program)))))
        assert found == f"probe in initramfs-{RELEASE} needs libm.so.6, libz, which are not there"

    def test_libraries_by_link_and_by_path(self) -> None:
        needed = ["libm.so.6", "/opt/libz.so"]
        files = changed(probe=(0o755, make_program(interpreter="/lib64/ld.so.2", needed=needed)))
        files |= {"usr/lib/libm.so.6": "libm-2.so", "usr/lib/libm-2.so": make_library("libm.so.6")}
        files["opt/libz.so"] = make_library("libz.so")
        assert check_programs(group(initramfs(files))).findings == ()
        files["usr/lib/libm.so.6"] = "nowhere"
        assert len(contradictions(check_programs(group(initramfs(files))))) == 1

    def test_a_library_of_a_library(self) -> None:
        files = initramfs_files() | {"usr/lib/libx.so": make_library("libx.so", ["liby.so"])}
        check = check_programs(group(initramfs(files)))
        assert not check.contradictions
        assert remarks(check) == [
            f"usr/lib/libx.so in initramfs-{RELEASE} needs liby.so, which is not there"
        ]


class TestLinks:
    def test_sound(self) -> None:
        check = check_links(group())
        assert (check.findings, check.summary) == ((), "3 links to what is there")
        assert not check_links(group(kernel())).done

    @pytest.mark.parametrize(
        "path", ["bin/ls", "usr/sbin/fsck", "sbin/init", "usr/lib/x/liba.so.1"]
    )
    def test_programs_that_are_not_there(self, path: str) -> None:
        files = initramfs_files() | {path: "nowhere"}
        assert contradictions(check_links(group(initramfs(files)))) == [
            f"initramfs-{RELEASE} has 1 link to what is not there: {path} to nowhere"
        ]

    def test_others(self) -> None:
        files = initramfs_files() | {"etc/localtime": "../usr/share/zoneinfo/UTC", "loop": "loop"}
        check = check_links(group(initramfs(files)))
        assert not check.contradictions
        assert remarks(check) == [
            (
                f"initramfs-{RELEASE} has 2 links to what is not there: etc/localtime to "
                "../usr/share/zoneinfo/UTC, loop to loop"
            )
        ]

    @pytest.mark.parametrize("target", ["/proc/mounts", "../run/lock", "/dev/null", "//sys/x"])
    def test_what_is_there_when_the_system_runs(self, target: str) -> None:
        assert check_links(group(initramfs({"etc/x": target}))).findings == ()

    def test_build_directories_on_disks(self) -> None:
        files = disk_files() | {f"{RELEASE}/build": f"/usr/src/linux-headers-{RELEASE}"}
        check = check_links(group(disk(files)))
        assert len(remarks(check)) == 1
        assert not check.contradictions
