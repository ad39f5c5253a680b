from __future__ import annotations

import pytest

from rdcompose.kernel.modmatch import Match, ModuleIndex
from tests.support.graphs import FakeModule

MODULES = [
    "kernel/drivers/ata/ata_piix.ko",
    "kernel/drivers/ata/libata.ko",
    "kernel/drivers/char/hw_random/virtio-rng.ko",
    "kernel/drivers/net/ethernet/intel/e1000/e1000.ko",
    "kernel/drivers/net/ethernet/intel/igb/igb.ko",
    "kernel/drivers/net/mdio.ko",
    "kernel/drivers/net/mdio/mdio-gpio.ko",
    "kernel/drivers/net/mdio0.ko",
    "kernel/drivers/virtio/virtio_pci.ko",
    "kernel/fs/nls/nls_ascii.ko",
    "kernel/fs/nls/nls_cp437.ko",
    "kernel/fs/nls/nls_cp850.ko",
    "kernel/kernel/trace/ring.ko",
    "kernel/net/8021q/8021q.ko",
    "updates/dkms/wire-guard.ko",
]
BUILTIN = [
    "kernel/drivers/virtio/virtio.ko",
    "kernel/fs/fuse/fuse.ko",
    "kernel/fs/nls/nls_base.ko",
    "kernel/fs/nls/nls_cp850.ko",
]


def name(path: str) -> str:
    return path.rpartition("/")[2].removesuffix(".ko").replace("-", "_")


@pytest.fixture(scope="module")
def index() -> ModuleIndex:
    modules = {name(path): FakeModule(path) for path in MODULES}
    return ModuleIndex(modules, {name(path): path for path in BUILTIN})


ATA = ("ata_piix", "libata")
INTEL = ("e1000", "igb")
MODULES_OF_DRIVERS = tuple(name(path) for path in MODULES if path.startswith("kernel/drivers/"))
NLS = ("nls_ascii", "nls_cp437", "nls_cp850")


@pytest.mark.parametrize(
    ("pattern", "modules", "builtin"),
    [
        pytest.param("igb", ("igb",), (), id="name"),
        pytest.param("virtio-rng", ("virtio_rng",), (), id="name with a dash"),
        pytest.param("igb.ko", ("igb",), (), id="name with suffix"),
        pytest.param("fuse", (), ("fuse",), id="built in by name"),
        pytest.param("nls_cp850", ("nls_cp850",), (), id="module before built in"),
        pytest.param("fs/fuse/fuse.ko", (), ("fuse",), id="built in by path"),
        pytest.param("drivers/ata/libata.ko", ("libata",), (), id="file"),
        pytest.param("drivers/ata/libata.ko.xz", ("libata",), (), id="compressed file"),
        pytest.param("drivers/ata/libata", ("libata",), (), id="file without suffix"),
        pytest.param("drivers/char/hw-random/virtio_rng.ko", ("virtio_rng",), (), id="dashes"),
        pytest.param("drivers/ata", ATA, (), id="directory"),
        pytest.param("drivers/ata/", ATA, (), id="directory with slash"),
        pytest.param("drivers/virtio", ("virtio_pci",), ("virtio",), id="directory, part built in"),
        pytest.param("fs/fuse", (), ("fuse",), id="directory, all built in"),
        pytest.param("drivers/net/ethernet", INTEL, (), id="nested directory"),
        pytest.param("drivers/net/mdio", ("mdio", "mdio_gpio"), (), id="file and directory"),
        pytest.param("drivers/net/mdio.ko", ("mdio",), (), id="not the directory"),
        pytest.param("drivers/net/mdio/", ("mdio_gpio",), (), id="not the file"),
        pytest.param("net", ("8021q",), (), id="top directory by a bare name"),
        pytest.param("fs/", NLS, ("fuse", "nls_base", "nls_cp850"), id="top directory"),
        pytest.param("igb/", (), (), id="name is no directory"),
        pytest.param("kernel/trace", ("ring",), (), id="kernel/ inside kernel/"),
        pytest.param("kernel/drivers/ata", ATA, (), id="from the release directory"),
        pytest.param("updates/dkms/wire_guard.ko", ("wire_guard",), (), id="outside kernel/"),
        pytest.param("updates", ("wire_guard",), (), id="directory outside kernel/"),
        pytest.param("nls_cp*", ("nls_cp437", "nls_cp850"), ("nls_cp850",), id="glob of names"),
        pytest.param("nls-cp[48]??.ko", NLS[1:], ("nls_cp850",), id="brackets"),
        pytest.param("nls_[!c]*", ("nls_ascii",), ("nls_base",), id="negated brackets"),
        pytest.param("nls_[a-b]*", ("nls_ascii",), ("nls_base",), id="range"),
        pytest.param("802*", ("8021q",), (), id="glob of a name that begins with a digit"),
        pytest.param("dr*", (), (), id="a glob without slash is of names only"),
        pytest.param("fs/nls/nls_c*", NLS[1:], ("nls_cp850",), id="glob of files"),
        pytest.param("fs/*/nls_a*.ko", ("nls_ascii",), (), id="glob of directories"),
        pytest.param("drivers/net/ethernet/int*", INTEL, (), id="glob of a directory"),
        pytest.param("drivers/net/ethernet/int*.ko", (), (), id="glob of files only"),
        pytest.param("drivers/net/md*.ko", ("mdio", "mdio0"), (), id="star stays in a component"),
        pytest.param("drivers/net/md*/", ("mdio_gpio",), (), id="glob of directories only"),
        pytest.param("drivers/**/igb.ko*", ("igb",), (), id="any depth"),
        pytest.param("**/mdio*.ko", ("mdio", "mdio_gpio", "mdio0"), (), id="any depth at first"),
        pytest.param("fs/**", NLS, ("fuse", "nls_base", "nls_cp850"), id="any depth at last"),
        pytest.param("**/net/**/**/intel/**/igb", ("igb",), (), id="any depth, many times"),
        pytest.param("**/nosuch/**", (), (), id="any depth around nothing"),
        pytest.param("upd*/dkms", ("wire_guard",), (), id="glob outside kernel/"),
        pytest.param("nosuch", (), (), id="no such name"),
        pytest.param("drivers/nosuch", (), (), id="no such path"),
        pytest.param("dri*/", MODULES_OF_DRIVERS, ("virtio",), id="glob of top directories"),
        pytest.param("drivers/ata/*/libata", (), (), id="deeper than there is"),
        pytest.param("drivers/at", (), (), id="half a component"),
    ],
)
def test_match(
    index: ModuleIndex, pattern: str, modules: tuple[str, ...], builtin: tuple[str, ...]
) -> None:
    match = index.match(pattern)
    assert match == Match(modules, builtin)
    assert bool(match) is bool(modules or builtin)


@pytest.mark.parametrize(
    ("pattern", "near"),
    [
        pytest.param("virtoi_pci", ("virtio_pci",), id="name"),
        pytest.param("nls_asci", ("nls_ascii", "nls_base"), id="one letter short"),
        pytest.param("fus", ("fuse",), id="built in"),
        pytest.param(
            "drivers/char/virtio-rng.ko", ("drivers/char/hw_random/virtio-rng",), id="moved"
        ),
        pytest.param("fs/fuse.ko", ("fs/fuse/fuse",), id="moved and built in"),
        pytest.param("drivers/atta", ("drivers/ata",), id="directory"),
        pytest.param(
            "fs/nls/nls_cp438.ko",
            ("fs/nls/nls_cp437", "fs/nls/nls_cp850"),
            id="paths",
        ),
        pytest.param("block/virtio/pcy/virtoi-pci.ko", ("virtio_pci",), id="name in a wrong path"),
        pytest.param("zzz", (), id="nothing"),
        pytest.param("a/zzz", (), id="nothing for a path"),
    ],
)
def test_near(index: ModuleIndex, pattern: str, near: tuple[str, ...]) -> None:
    assert index.near(pattern) == near


def test_kernel_without_modules() -> None:
    index = ModuleIndex({}, {})
    assert not index.match("*")
    assert not index.match("drivers/*")
    assert index.near("drivers/ata") == ()


@pytest.mark.parametrize("pattern", ["**/" * 40 + "x", "**/*/" * 40 + "x", "fs/" + "*a*" * 200])
def test_no_pattern_is_slow(pattern: str) -> None:
    deep = {
        f"m{number}": FakeModule("kernel/" + "d/" * 60 + f"m{number}.ko") for number in range(9)
    }
    # Backtracking would take longer than the universe has been there.
    assert ModuleIndex(deep, {}).match(pattern) == Match()


@pytest.mark.parametrize(
    "pattern",
    ["net/veth.ko", "net", "net/*", "**/veth", "updates/veth.ko", "veth", "ve*", "updates"],
)
def test_a_module_that_took_the_place_of_another_has_its_path_too(pattern: str) -> None:
    index = ModuleIndex(
        {"veth": FakeModule("updates/veth.ko")}, {}, [("veth", "kernel/net/veth.ko")]
    )
    assert index.match(pattern) == Match(modules=("veth",))


def test_both_paths_of_a_module_give_it_once() -> None:
    index = ModuleIndex(
        {"veth": FakeModule("kernel/net/new/veth.ko")}, {}, [("veth", "kernel/net/veth.ko")]
    )
    assert index.match("net").modules == ("veth",)
    assert index.match("**/veth.ko").modules == ("veth",)
    assert index.near("nett/veth.ko") == ("net/new/veth",)
