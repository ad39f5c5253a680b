"""Which firmware goes into an initramfs: by modules, by lists, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.filesource import FIRMWARE, Source, SourceRequest
from rdcompose.compose.firmware import Wish, add_firmware, driver_wishes, load_firmware
from rdcompose.compose.firmware_packages import package_of
from rdcompose.compose.inputs import InputFile
from rdcompose.compose.spec import FirmwareMode
from rdcompose.errors import CapabilityError, SpecError
from rdcompose.formats.elf import read_module
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.depmod import Depmod
from rdcompose.kernel.modlist import ListEntry, parse_firmware
from rdcompose.kernel.module import Module
from rdcompose.tree import Bytes, File, Symlink, Tree, read_all
from tests.support.debs import make_deb
from tests.support.modules import make_ko

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rdcompose.compose.firmware import Firmware
    from tests.support.debs import Content

RELEASE = "6.1.0-7-amd64"
NIC = Wish("nic/a.fw", "nic")
AUTO, LISTED, NONE = FirmwareMode.AUTO, FirmwareMode.LISTED, FirmwareMode.NONE


class Bench:
    """Packages in a directory, and what is chosen of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sources: list[Source] = []

    def source(self, files: Mapping[str, Content], name: str = "firmware-nic") -> None:
        path = self.path / f"{name}.deb"
        named = {f"lib/firmware/{file}": content for file, content in files.items()}
        path.write_bytes(make_deb(named, control={"Package": name, "Architecture": "all"}))
        request = SourceRequest(FIRMWARE, name, name, None)
        self.sources.append(Source(request, InputFile(path=path)))

    def load(
        self,
        *wishes: Wish,
        mode: FirmwareMode | None = None,
        listed: str = "",
        config: Mapping[str, str] | None = None,
    ) -> Firmware:
        return load_firmware(
            mode,
            self.sources,
            listed=[
                entry
                for entry in parse_firmware(listed.encode(), file="mine/firmware")
                if isinstance(entry, ListEntry)
            ],
            wishes=wishes,
            release=RELEASE,
            config=KernelConfig(config or {"FW_LOADER": "y"}),
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def files(found: Firmware) -> dict[str, bytes | str]:
    """Return contents, and targets of links, by names below /lib/firmware."""
    rows = {}
    for piece in found.pieces:
        entry = piece.entry
        name = entry.path.removeprefix("lib/firmware/")
        rows[name] = entry.target if isinstance(entry, Symlink) else read_all(entry.content)
    return rows


def test_what_modules_name() -> None:
    modules = [
        Module(path=f"kernel/{name}.ko", elf=read_module(data), content=Bytes(data))
        for name, data in (
            ("nic", make_ko([("firmware", "nic/b.fw"), ("firmware", "nic/a.fw"), ("name", "nic")])),
            ("other", make_ko([("firmware", "o.fw"), ("firmware", "o.fw")])),
            ("left_out", make_ko([("firmware", "x.fw")])),
        )
    ]
    depmod = Depmod(modules, builtin_modinfo=b"usb.firmware=u-*\0usb.license=GPL\0")
    assert driver_wishes(depmod, ["other", "nic"]) == (
        *(Wish("o.fw", "other"), Wish("nic/b.fw", "nic"), NIC, Wish("u-*", "usb", builtin=True)),
    )


def test_by_modules(bench: Bench) -> None:
    bench.source({"nic/a.fw": b"a", "nic/b.fw": b"b", "big.fw": b"big"})
    found = bench.load(NIC, Wish("nic/a.fw", "second"))
    assert files(found) == {"nic/a.fw": b"a"}
    [piece] = found.pieces
    assert (piece.source, piece.why) == ("firmware-nic 1.0-1", "named by the module nic")
    assert [(item.role, item.package) for item in found.inputs] == [("firmware", "firmware-nic")]
    assert found.notes == ()


def test_by_built_in_drivers(bench: Bench) -> None:
    bench.source({"u-1": b"1", "nic/a.fw": b"a"})
    found = bench.load(Wish("u-*", "usb", builtin=True), Wish("gone", "usb", builtin=True))
    assert [piece.why for piece in found.pieces] == ["named by usb, which is built in"]
    assert found.notes == ("no source has firmware that usb names: gone",)


def test_patterns_match_within_a_component(bench: Bench) -> None:
    bench.source({"nic/a1.fw": b"1", "nic/a2.fw": b"2", "nic/deep/a3.fw": b"3", "nic/b": b"4"})
    assert set(files(bench.load(Wish("nic/a*", "nic")))) == {"nic/a1.fw", "nic/a2.fw"}
    assert set(files(bench.load(Wish("n?c/*/a[0-9].fw", "nic")))) == {"nic/deep/a3.fw"}


def test_links_and_what_they_lead_to(bench: Bench) -> None:
    bench.source(
        {
            "nic/a.fw": "../real/a-2.fw",
            "real": "/usr/lib/firmware/store",
            "store/a-2.fw": "a-1.fw",
            "store/a-1.fw": b"a",
            "store/b.fw": b"b",
            "alias": "store",
        }
    )
    found = bench.load(NIC, Wish("alias/b.fw", "other"))
    assert files(found) == {
        "alias": "store",
        "nic/a.fw": "../store/a-1.fw",
        "real": "store",
        "store/a-1.fw": b"a",
        "store/a-2.fw": "a-1.fw",
        "store/b.fw": b"b",
    }
    reasons = {piece.entry.path: piece.why for piece in found.pieces}
    assert reasons["lib/firmware/nic/a.fw"] == "named by the module nic"
    assert reasons["lib/firmware/store/a-1.fw"].startswith("where /lib/firmware/")
    assert set(files(bench.load(Wish("alias/*.fw", "other")))) == {
        *("alias", "store/a-1.fw", "store/a-2.fw", "store/b.fw"),
    }


def test_the_first_source_counts(bench: Bench) -> None:
    bench.source({"nic/a.fw": b"first"}, "one")
    bench.source({"nic/a.fw": b"second", "nic/b.fw": b"b"}, "two")
    found = bench.load(NIC, Wish("nic/b.fw", "nic"))
    assert files(found) == {"nic/a.fw": b"first", "nic/b.fw": b"b"}
    assert [piece.source for piece in found.pieces] == ["one 1.0-1", "two 1.0-1"]
    assert [item.package for item in found.inputs] == ["one", "two"]


def test_where_the_kernel_looks_first(bench: Bench) -> None:
    bench.source(
        {
            "nic/a.fw": b"plain",
            "updates/nic/a.fw": b"update",
            "nic/b.fw": b"plain",
            f"{RELEASE}/nic/b.fw": b"release",
            "updates/nic/c.fw": b"update",
            f"updates/{RELEASE}/nic/c.fw": b"both",
        }
    )
    assert files(bench.load(Wish("nic/*", "nic"))) == {
        "updates/nic/a.fw": b"update",
        f"{RELEASE}/nic/b.fw": b"release",
        f"updates/{RELEASE}/nic/c.fw": b"both",
    }


def test_listed(bench: Bench) -> None:
    bench.source({"nic/a.fw": b"a", "nic/b.fw": b"b", "x/y/z": b"z", "last": b"l"})
    listed = "nic/*.fw # both\n!nic/b.fw\nx\ngone? nothing/* ?\n"
    found = bench.load(NIC, mode=LISTED, listed=listed)
    assert files(found) == {"nic/a.fw": b"a", "x/y/z": b"z"}
    assert found.pieces[0].why == "listed: 'nic/*.fw' in mine/firmware:1"
    # The list has the last word on what modules name, too.
    assert files(bench.load(NIC, Wish("last", "m"), listed="!nic")) == {"last": b"l"}


def test_listed_and_missing(bench: Bench) -> None:
    bench.source({"nic/a.fw": b"a"})
    with pytest.raises(SpecError, match=r"mine/firmware:2: 'gone\.fw' is in no source") as caught:
        bench.load(listed="nic\ngone.fw\n")
    assert "--firmware-from" in str(caught.value.hint)


def test_missing_is_told_once_for_a_module(bench: Bench) -> None:
    bench.source({"nic/a.fw": "nothing", "round": "round", "x": b"x"})
    wishes = [Wish(f"rtl_nic/{number}.fw", "r8169") for number in range(6)]
    found = bench.load(NIC, Wish("round", "nic"), *wishes)
    assert files(found) == {}
    lost = "a link of firmware-nic 1.0-1 that leads to nothing"
    first, second = found.notes
    assert first == f"no source has firmware that nic names: nic/a.fw ({lost}), round ({lost})"
    assert second == (
        "no source has firmware that r8169 names: rtl_nic/0.fw, rtl_nic/1.fw, rtl_nic/2.fw, "
        "rtl_nic/3.fw and 2 more (firmware-realtek in Debian 13)"
    )


def test_a_link_to_nothing_gives_way_to_another_source(bench: Bench) -> None:
    bench.source({"nic/a.fw": "nothing", "x": b"x"}, "one")
    bench.source({"nic/a.fw": b"a"}, "two")
    found = bench.load(NIC)
    assert (files(found), found.notes) == ({"nic/a.fw": b"a"}, ())


def test_what_is_done_without_an_option(bench: Bench) -> None:
    assert bench.load() == bench.load(NIC, mode=NONE)
    [note] = bench.load(NIC, Wish("rtl_nic/x.fw", "r8169")).notes
    assert note == (
        "no firmware is put in, and modules name some: nic, r8169 (firmware-realtek in Debian 13)"
    )
    bench.source({"nic/a.fw": b"a", "b": b"b"})
    assert set(files(bench.load(NIC, listed="b"))) == {"nic/a.fw", "b"}
    assert files(bench.load(NIC, listed="b", mode=LISTED)) == {"b": b"b"}
    assert bench.load(NIC, listed="b", mode=NONE).pieces == ()


@pytest.mark.parametrize(
    ("mode", "listed", "message"),
    [
        pytest.param(AUTO, "", "--firmware auto wants firmware, and there is no source", id="auto"),
        pytest.param(LISTED, "", "--firmware listed wants firmware", id="listed"),
        pytest.param(None, "a", "the profile lists firmware, and there is no source", id="list"),
    ],
)
def test_without_a_source(
    bench: Bench, mode: FirmwareMode | None, listed: str, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        bench.load(NIC, mode=mode, listed=listed)


def test_listed_without_a_list(bench: Bench) -> None:
    bench.source({"nic/a.fw": b"a"})
    with pytest.raises(SpecError, match="takes what the profile lists, and it lists none"):
        bench.load(NIC, mode=LISTED)


def test_a_kernel_that_loads_none(bench: Bench) -> None:
    bench.source({"nic/a.fw": b"a"})
    with pytest.raises(CapabilityError, match="it lacks CONFIG_FW_LOADER"):
        bench.load(NIC, config={"FW_LOADER": "n"})


def test_what_a_template_has_stays(bench: Bench) -> None:
    bench.source({"nic/a.fw": b"a", "nic/b.fw": b"b"})
    tree = Tree()
    tree.add(Symlink(path="lib", target="usr/lib"))
    tree.add(File(path="usr/lib/firmware/nic/a.fw", content=Bytes(b"own")))
    placed = add_firmware(tree, bench.load(Wish("nic/*", "nic")).pieces)
    assert [piece.entry.path for piece in placed] == ["lib/firmware/nic/b.fw"]
    found = {entry.path: read_all(entry.content) for entry in tree if isinstance(entry, File)}
    assert found == {"usr/lib/firmware/nic/a.fw": b"own", "usr/lib/firmware/nic/b.fw": b"b"}


def test_packages() -> None:
    assert package_of("rtl_nic/rtl8168g-2.fw") == "firmware-realtek"
    assert package_of("brcm/brcmfmac*-pcie.*.bin") == "firmware-brcm80211"
    assert package_of("nic/a.fw") is None
