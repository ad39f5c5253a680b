from __future__ import annotations

from rdcompose.kernel.aliases import AliasTable

TABLE = AliasTable(
    [
        ("pci:v00008086d00001533sv*sd*bc*sc*i*", "igb"),
        ("pci:v*d*sv*sd*bc02sc00i*", "generic"),
        ("of:N*T*Cvendor,short", "of_exact"),
        ("of:N*T*Cvendor,shortC*", "of_more"),
        ("virtio:d00000002v*", "virtio_blk"),
        ("usb:v1p2d01[0-9]*", "usb_range"),
        ("ext4", "named"),
        ("a-long-name-without-wildcards", "named_too"),
        ("*", "all"),
        ("pci:v00008086d00001533sv*", "igb"),
        (r"back\*slash-with-much-text[\]x]", "backslash"),
    ]
)


def found(text: str) -> list[str]:
    return [name for name in TABLE.find(text) if name != "all"]


def test_all_that_match_in_order_and_each_once() -> None:
    assert found("pci:v00008086d00001533sv1sd2bc02sc00i00") == ["igb", "generic"]
    assert found("pci:v00008086d00001534sv1sd2bc02sc00i00") == ["generic"]
    # By the pattern that stands first, whatever that of the other module.
    assert TABLE.find("pci:v00008086d00001533sv1") == ("all", "igb")


def test_device_tree() -> None:
    assert found("of:NethT(null)Cvendor,short") == ["of_exact"]
    assert found("of:NethT(null)Cvendor,shortCother") == ["of_more"]
    assert found("of:NethT(null)Cvendor,shorter") == []


def test_names_without_wildcards() -> None:
    assert found("ext4") == ["named"]
    assert found("a-long-name-without-wildcards") == ["named_too"]
    assert found("a-long-name-without-wildcards-and-more") == []


def test_brackets() -> None:
    assert found("usb:v1p2d0155") == ["usb_range"]
    assert found("usb:v1p2d01x5") == []


def test_backslashes() -> None:
    assert found("back*slash-with-much-text]") == ["backslash"]
    assert found("backslash-with-much-textx") == []


def test_repeated_text_is_no_repeated_answer() -> None:
    assert TABLE.find("virtio:d00000002v" * 3) == ("virtio_blk", "all")


def test_nothing_in_an_empty_table() -> None:
    assert AliasTable([]).find("pci:v1") == ()
