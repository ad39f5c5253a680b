from __future__ import annotations

import io

import pytest

from rdcompose.boards.cmdline import root_words
from rdcompose.boards.netroot import check_kernel, network_root
from rdcompose.errors import CapabilityError, SpecError
from rdcompose.kernel.package import KernelPackage, read_kernels
from rdcompose.kernel.source import DebSource
from tests.support.packages import CONFIG, RELEASE, kernel_deb, module, sample_files


def words(text: str, own: str = "") -> list[str]:
    found = network_root(text, own)
    assert found is not None
    return [*found.words]


@pytest.mark.parametrize(
    "place", ["server/pinet", "10.0.0.1:10999/pinet", "server", "/pinet", ":10999/a", "a.b/srv/x"]
)
def test_nbd(place: str) -> None:
    assert words(f"nbd:{place}") == ["ip=dhcp", f"nbdroot={place}", "ro", "overlay=tmpfs"]


def test_what_it_needs() -> None:
    nbd, nfs = network_root("nbd:a/b"), network_root("nfs:a:/b")
    assert nbd is not None
    assert nfs is not None
    assert (nbd.feature, nbd.needs) == ("nbd", ("nbd", "overlay"))
    assert (nfs.feature, nfs.needs) == ("nfs", ("nfs",))
    without = network_root("nbd:a/b", "rw")
    assert without is not None
    assert without.needs == ("nbd",)


def test_own_words_count() -> None:
    assert words("nbd:a/b", "ip=:::::eth0:on quiet") == ["nbdroot=a/b", "ro", "overlay=tmpfs"]
    assert words("nbd:a/b", "overlay=/dev/sda1") == ["ip=dhcp", "nbdroot=a/b", "ro"]
    assert words("nbd:a/b", "rw") == ["ip=dhcp", "nbdroot=a/b"]


@pytest.mark.parametrize("place", ["server:/srv/root", "/srv/root", "10.0.0.1:/"])
def test_nfs(place: str) -> None:
    assert words(f"nfs:{place}") == ["ip=dhcp", "root=/dev/nfs", f"nfsroot={place}"]


@pytest.mark.parametrize(
    "text", ["nbd:", "nbd:/", "nbd::10809", "nbd:-a/b", "nbd:a/b c", "nbd:a:99999999/b", 'nbd:a/"b']
)
def test_no_nbd(text: str) -> None:
    with pytest.raises(SpecError, match="is no root on an NBD server"):
        network_root(text)


@pytest.mark.parametrize("port", ["0", "65536"])
def test_no_port(port: str) -> None:
    with pytest.raises(SpecError, match="has no valid port"):
        network_root(f"nbd:a:{port}/b")


@pytest.mark.parametrize("text", ["nfs:", "nfs:server", "nfs:a:b", "nfs:a:/b c", "nfs:a:/b,ro"])
def test_no_nfs(text: str) -> None:
    with pytest.raises(SpecError, match="is no root on an NFS server"):
        network_root(text)


@pytest.mark.parametrize("text", ["/dev/mmcblk0p2", "PARTUUID=12-02", "none", "", "server:/path"])
def test_other_roots(text: str) -> None:
    assert network_root(text) is None


def test_the_command_line_has_them() -> None:
    assert root_words("nbd:a/b", "rw") == ["ip=dhcp", "nbdroot=a/b"]
    assert root_words("nfs:a:/b") == ["ip=dhcp", "root=/dev/nfs", "nfsroot=a:/b"]
    assert root_words("/dev/sda1") == ["root=/dev/sda1", "rootwait"]


def kernel(*, nbd: str, with_module: bool = True) -> KernelPackage:
    files = sample_files()
    files[f"boot/config-{RELEASE}"] = (CONFIG + f"CONFIG_BLK_DEV_NBD={nbd}\n").encode()
    if with_module:
        files[f"lib/modules/{RELEASE}/kernel/drivers/block/nbd.ko"] = module()
    (found,) = read_kernels([DebSource(io.BytesIO(kernel_deb(files)))])
    return found


@pytest.mark.parametrize("nbd", ["m", "y"])
def test_a_kernel_that_can(nbd: str) -> None:
    root = network_root("nbd:a/b")
    assert root is not None
    check_kernel(root, kernel(nbd=nbd))


@pytest.mark.parametrize(
    ("package", "lacks"),
    [
        (kernel(nbd="n"), "it lacks CONFIG_BLK_DEV_NBD"),
        (kernel(nbd="m", with_module=False), "it lacks the module nbd"),
    ],
    ids=["option", "module"],
)
def test_a_kernel_that_cannot(package: KernelPackage, lacks: str) -> None:
    root = network_root("nbd:a/b")
    assert root is not None
    with pytest.raises(CapabilityError) as caught:
        check_kernel(root, package)
    assert caught.value.message == f"the kernel {RELEASE} cannot have the root nbd:a/b: {lacks}"
