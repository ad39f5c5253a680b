from __future__ import annotations

from rdcompose.inspect.checks.machine import architectures, check_machine
from tests.support.artifacts import (
    BLOCK,
    MODULES,
    Content,
    contradictions,
    disk,
    disk_files,
    group,
    initramfs,
    initramfs_files,
    kernel,
    module,
)
from tests.support.images import make_arm64
from tests.support.packages import RELEASE
from tests.support.programs import make_program

ARM64 = make_arm64(RELEASE)


def test_sound() -> None:
    check = check_machine(group())
    assert check.findings == ()
    assert check.summary == "3 modules and 4 programs for amd64 (64-bit x86-64)"


def test_what_tells_the_architecture() -> None:
    assert [row.name for row in architectures(group())] == ["amd64"]
    assert [row.name for row in architectures(group(kernel(data=ARM64)))] == ["arm64"]
    assert [row.name for row in architectures(group(disk()))] == ["amd64"]
    arm = initramfs({"init": (0o755, make_program(machine=40, bits=32))})
    assert [row.name for row in architectures(group(arm))] == ["armhf", "armel"]
    assert architectures(group(initramfs({}))) == ()
    assert not check_machine(group(initramfs({}))).done


def test_modules_and_programs_of_another_machine() -> None:
    wrong: dict[str, Content] = {
        f"{MODULES}/{BLOCK}": module(machine=183),
        "bin/mount": (0o755, make_program(machine=183)),
    }
    check = check_machine(group(kernel(), initramfs({**initramfs_files(), **wrong})))
    assert contradictions(check) == [
        (
            f"the kernel is for amd64 (64-bit x86-64), but {MODULES}/{BLOCK}, bin/mount in "
            f"initramfs-{RELEASE} are for 64-bit AArch64"
        )
    ]
    [message] = contradictions(check_machine(group(kernel(data=ARM64), disk())))
    assert "the kernel is for arm64" in message
    assert message.endswith("is for 64-bit x86-64")


def test_a_disk_for_kernels_of_several_machines() -> None:
    other = {"6.1.0-7-arm64/kernel/a.ko": module(vermagic="6.1.0-7-arm64 SMP ", machine=183)}
    check = check_machine(group(kernel(), disk({**disk_files(), **other})))
    assert check.findings == ()
    assert check.summary.startswith("1 module ")


def test_32_bit_programs_of_64_bit_kernels() -> None:
    program = {"init": (0o755, make_program(machine=3, bits=32))}
    assert check_machine(group(kernel(), initramfs(program))).findings == ()
    [message] = contradictions(check_machine(group(kernel(data=ARM64), initramfs(program))))
    assert "init in" in message
    assert "is for 32-bit Intel 80386" in message
    arm = {"init": (0o755, make_program(machine=40, bits=32))}
    assert check_machine(group(kernel(data=ARM64), initramfs(arm))).findings == ()


def test_without_a_kernel() -> None:
    mixed = {**initramfs_files(), "bin/x": (0o755, make_program(machine=183))}
    [message] = contradictions(check_machine(group(initramfs(mixed))))
    assert message.startswith("most is for amd64")
