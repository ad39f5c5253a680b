"""Machines without a root filesystem, and scripts of the user in the initramfs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.console import steps
from tests.support.qemu import Guest, boot, virtio_disk

if TYPE_CHECKING:
    from tests.boot.conftest import Compose, Composition, RootImage

pytestmark = pytest.mark.boot

MOMENTS = ("top", "modules", "premount", "mount", "bottom")
PROMPT = r"^/ # "
OWN_INIT = """#!/bin/sh
echo "own: process $$, arguments $*"
mount -t proc proc /proc 2> /dev/null
poweroff -f
"""


@pytest.fixture(scope="session")
def built(composition: Compose, tmp_path_factory: pytest.TempPathFactory) -> Composition:
    template = tmp_path_factory.mktemp("template")
    for moment in MOMENTS:
        folder = template / "etc" / "rdcompose.d" / moment
        folder.mkdir(parents=True)
        for name, status in (("10-first", 0), ("20-second", 3 if moment == "mount" else 0)):
            (folder / name).write_text(f'#!/bin/sh\necho "own: {moment} {name}"\nexit {status}\n')
            (folder / name).chmod(0o755)
        # Not executable: a note, or a script that is switched off.
        (folder / "30-readme").write_text("text\n")
    (template / "sbin").mkdir()
    (template / "sbin" / "own-init").write_text(OWN_INIT)
    (template / "sbin" / "own-init").chmod(0o755)
    return composition("bookworm", "cloud-amd64", "--template", str(template))


def own(console: str) -> list[str]:
    return [line for line in console.splitlines() if line.startswith("own: ")]


SCRIPTS = [f"own: {moment} {name}" for moment in MOMENTS for name in ("10-first", "20-second")]


def test_scripts_run_in_order(built: Composition, root_image: RootImage) -> None:
    image = root_image("#!/bin/sh\necho own: init\npoweroff -f\n")
    console = boot(built.machine("root=/dev/vda", virtio_disk(image)))
    assert own(console) == [*SCRIPTS, "own: init"]
    warning = "warning: /etc/rdcompose.d/mount/20-second ended with status 3"
    assert warning in steps(console)
    assert "running /etc/rdcompose.d/top/10-first" in steps(console)


def test_shell_on_every_console(built: Composition) -> None:
    def talk(guest: Guest) -> None:
        guest.expect("this machine has no root filesystem: a shell on each console")
        guest.expect(PROMPT)
        # The other one is on the screen; both have a terminal of their own.
        guest.type("ps -o tty,comm | grep '[0-9] *sh$' | sort")
        guest.expect(r"^4,0 +sh$|^4,1 +sh$")
        guest.expect(r"^4,64 +sh$")
        guest.expect(PROMPT)
        # Modules of the disk and of the initramfs.
        guest.type("modprobe dummy && modprobe sr_mod && lsmod | grep -c '^dummy\\|^sr_mod'")
        guest.expect("^2$")
        guest.expect(PROMPT)
        guest.type("sh -c 'echo started; exec sleep 1000'")
        guest.expect("^started")
        guest.press(b"\x03")
        guest.expect(PROMPT)
        # A shell that ends is started again.
        guest.type("exit")
        guest.expect(PROMPT)
        guest.type("poweroff -f")

    machine = built.machine(
        "console=tty0 console=ttyS0 root=none",
        ("-vga", "std"),
        virtio_disk(built.disk, kind="qcow2"),
    )
    console = boot(machine, talk=talk)
    assert own(console) == SCRIPTS
    assert "modules are on /dev/vda and in the initramfs" in steps(console)
    assert "can't access tty" not in console


def test_own_init_in_memory(built: Composition) -> None:
    console = boot(built.machine("root=none init=/sbin/own-init -- first second"))
    assert own(console) == [*SCRIPTS, "own: process 1, arguments first second"]


def test_own_init_that_is_not_there(built: Composition) -> None:
    console = boot(built.machine("root=none init=/sbin/nothing panic=-1"))
    assert "error: this initramfs holds no program /sbin/nothing" in steps(console)


def test_rdinit_takes_the_place_of_init(built: Composition) -> None:
    console = boot(built.machine("rdinit=/sbin/own-init"))
    assert own(console) == ["own: process 1, arguments "]
