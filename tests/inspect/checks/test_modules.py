from __future__ import annotations

import pytest

from rdcompose.inspect.checks.modules import (
    check_dependencies,
    check_vermagic,
    modules_of,
)
from tests.support.artifacts import (
    BLOCK,
    DUMMY,
    MODULES,
    RING,
    Content,
    contradictions,
    disk,
    disk_files,
    group,
    initramfs,
    initramfs_files,
    kernel,
    module,
    remarks,
)
from tests.support.packages import RELEASE, VERMAGIC

OTHER = "6.1.0-8-cloud-amd64"
INITRAMFS = f"initramfs-{RELEASE}"
DISK = f"modules-{RELEASE}.qcow2"


def early(**changes: bytes) -> dict[str, Content]:
    """The sound initramfs with other modules: ``ring`` or ``block``."""
    paths = {"ring": f"{MODULES}/{RING}", "block": f"{MODULES}/{BLOCK}"}
    return initramfs_files() | {paths[name]: data for name, data in changes.items()}


class TestVermagic:
    def test_sound(self) -> None:
        check = check_vermagic(group())
        assert check.findings == ()
        assert check.summary == f"3 modules: {VERMAGIC.strip()}"

    def test_no_modules(self) -> None:
        assert not check_vermagic(group(kernel())).done

    def test_another_release(self) -> None:
        wrong = early(ring=module(vermagic=VERMAGIC.replace(RELEASE, OTHER)))
        assert contradictions(check_vermagic(group(kernel(), initramfs(wrong), disk()))) == [
            f"1 of 2 modules in {INITRAMFS} is of {OTHER}, not of {RELEASE}: {MODULES}/{RING}"
        ]

    def test_no_vermagic(self) -> None:
        [message] = contradictions(
            check_vermagic(group(kernel(), initramfs(early(ring=module(vermagic="")))))
        )
        assert f"is of no release at all, not of {RELEASE}" in message

    def test_another_build_of_the_same_release(self) -> None:
        wrong = early(ring=module(vermagic=VERMAGIC.replace("preempt", "preempt_rt")))
        assert contradictions(check_vermagic(group(kernel(), initramfs(wrong), disk()))) == [
            (
                f"1 of 2 modules in {INITRAMFS} is built for another kernel {RELEASE}: vermagic "
                "'SMP preempt_rt mod_unload modversions' instead of "
                f"'SMP preempt mod_unload modversions': {MODULES}/{RING}"
            )
        ]


class TestDependencies:
    def test_sound(self) -> None:
        check = check_dependencies(group())
        assert (check.findings, check.summary) == ((), "3 modules with all that they need")

    def test_none(self) -> None:
        assert not check_dependencies(group(kernel())).done

    def test_what_is_nowhere(self) -> None:
        wrong = early(block=module(depends="virtio_ring,virtio,scsi-mod"))
        check = check_dependencies(group(kernel(), initramfs(wrong), disk()))
        assert contradictions(check) == [
            f"{MODULES}/{BLOCK} in {INITRAMFS} needs scsi_mod, virtio, which are nowhere"
        ]

    def test_many_that_are_nowhere(self) -> None:
        files = disk_files() | {
            f"{RELEASE}/kernel/x{n}.ko": module(depends="missing") for n in range(7)
        }
        check = check_dependencies(group(kernel(), initramfs(), disk(files)))
        assert len(check.contradictions) == 6
        assert contradictions(check)[-1] == "the same of 2 more modules"

    def test_built_in_ones_are_there(self) -> None:
        wrong = early(block=module(depends="ext4"))
        assert not check_dependencies(group(kernel(), initramfs(wrong), disk())).findings

    def test_a_disk_alone_is_not_judged(self) -> None:
        files = disk_files() | {f"{RELEASE}/kernel/x.ko": module(depends="virtio_ring")}
        check = check_dependencies(group(kernel(), disk(files)))
        assert not check.contradictions
        assert remarks(check)[0] == (
            "1 module needs virtio_ring, which may be in an initramfs that was not given"
        )

    def test_what_is_on_the_disk_only(self) -> None:
        wrong = early(block=module(depends="dummy"))
        check = check_dependencies(group(kernel(), initramfs(wrong), disk()))
        assert not check.contradictions
        assert remarks(check) == [
            f"1 module of the initramfs needs others that are on the disk only: {MODULES}/{BLOCK}"
        ]

    def test_indexes_that_name_what_is_nowhere(self) -> None:
        index = f"{RING}: kernel/a.ko kernel/b.ko\n{BLOCK}:\n{DUMMY}:\n".encode()
        files = disk_files() | {f"{RELEASE}/modules.dep": index}
        check = check_dependencies(group(kernel(), initramfs(), disk(files)))
        assert contradictions(check) == [
            f"modules.dep of {DISK} names 2 modules that are nowhere: kernel/a.ko, kernel/b.ko"
        ]
        check = check_dependencies(group(kernel(), disk(files)))
        assert not check.contradictions
        assert "names 4 modules that are not among the files" in remarks(check)[0]

    def test_indexes_with_whole_paths(self) -> None:
        index = f"/{MODULES}/{BLOCK}: /{MODULES}/{RING}\n/usr/{MODULES}/{RING}:\n".encode()
        files = initramfs_files() | {f"{MODULES}/modules.dep": index}
        assert not check_dependencies(group(kernel(), initramfs(files), disk())).findings

    def test_modules_that_no_index_names(self) -> None:
        files = disk_files() | {f"{RELEASE}/kernel/x.ko": module()}
        assert remarks(check_dependencies(group(kernel(), initramfs(), disk(files)))) == [
            f"1 module is in no modules.dep, so modprobe does not find it: {RELEASE}/kernel/x.ko"
        ]

    def test_no_index(self) -> None:
        files = {f"{MODULES}/{RING}": module()}
        assert remarks(check_dependencies(group(kernel(), initramfs(files)))) == [
            "there is no modules.dep, so modprobe finds no module"
        ]


@pytest.mark.parametrize("release", [RELEASE, OTHER])
def test_modules_of_a_release(release: str) -> None:
    contents = initramfs().contents
    assert contents is not None
    assert modules_of(contents, release) == ({RING, BLOCK} if release == RELEASE else set())
