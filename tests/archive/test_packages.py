"""The reader for the index of packages: searches, fields, and hostile or damaged stanzas."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.archive.packages import Package, PackageIndex
from rdcompose.errors import FormatError

if TYPE_CHECKING:
    from pathlib import Path

SHA256 = "5a" * 32
KERNEL = "linux-image-6.1.0-56-amd64"


def stanza(name: str, version: str = "1-1", /, **changes: str | None) -> str:
    """A stanza; changes replace values by field name or remove the field."""
    fields: dict[str, str | None] = {
        "Package": name,
        "Version": version,
        "Installed-Size": "331",
        "Architecture": "amd64",
        "Depends": "kmod, linux-base (>= 4.3~)",
        "Description": f"the package {name}\n More.\n .\n Package: fake",
        "Filename": f"pool/main/x/{name}_{version}_amd64.deb",
        "Size": "148264",
        "SHA256": SHA256,
        **changes,
    }
    return "".join(f"{key}: {value}\n" for key, value in fields.items() if value is not None)


def index(*stanzas: str) -> PackageIndex:
    return PackageIndex("\n".join(stanzas).encode())


def versions(packages: tuple[Package, ...]) -> list[str]:
    return [package.version for package in packages]


SAMPLE = [
    stanza("linux-base"),
    stanza(KERNEL, "6.1.192-2"),
    stanza(KERNEL + "-dbg"),
    stanza("linux-image-cloud-amd64"),
    stanza("fake-linux-image-1"),
    stanza("linux-image"),
]


def test_package() -> None:
    (found,) = index(*SAMPLE).find(KERNEL)
    assert found == Package(
        name=KERNEL,
        version="6.1.192-2",
        architecture="amd64",
        filename=f"pool/main/x/{KERNEL}_6.1.192-2_amd64.deb",
        size=148264,
        sha256=SHA256,
        depends="kmod, linux-base (>= 4.3~)",
    )
    assert (found.get("Installed-Size"), found.get("INSTALLED-SIZE")) == ("331", "331")
    assert found.get("Description").endswith("\nMore.\n.\nPackage: fake")
    assert found.get("Provides") == ""


@pytest.mark.parametrize("name", [*(text.split()[1] for text in SAMPLE)])
def test_every_package_is_found(name: str) -> None:
    assert [package.name for package in index(*SAMPLE).find(name)] == [name]


@pytest.mark.parametrize(
    "name",
    [
        *("", "linux", "linux-image-", "image", "fake", KERNEL.upper()),
        *("linux-base\nVersion: 1-1", "linux-base\n", " linux-base", "lïnux", "\udcff", "-x"),
    ],
)
def test_not_there(name: str) -> None:
    assert index(*SAMPLE).find(name) == ()


def test_what_is_optional() -> None:
    (found,) = index(stanza("a", Depends=None)).find("a")
    assert found.depends == ""


def test_digest_in_upper_case() -> None:
    (found,) = index(stanza("a", SHA256=SHA256.upper())).find("a")
    assert found.sha256 == SHA256


def test_versions_newest_first() -> None:
    texts = [stanza("a", version) for version in ("6.1.9-1", "6.1.10-1", "1:1-1", "6.1.10-1~x")]
    assert versions(index(*texts).find("a")) == ["1:1-1", "6.1.10-1", "6.1.10-1~x", "6.1.9-1"]


def test_equal_versions_stay_in_order() -> None:
    found = index(stanza("a", Section="one"), stanza("a", Section="two")).find("a")
    assert [package.get("Section") for package in found] == ["one", "two"]


def test_prefix() -> None:
    sample = index(*SAMPLE)
    expected = [KERNEL, f"{KERNEL}-dbg", "linux-image-cloud-amd64"]
    assert [package.name for package in sample.matching("linux-image-")] == expected
    assert [package.name for package in sample.matching("linux-b")] == ["linux-base"]
    every = [text.split()[1] for text in SAMPLE]
    assert [package.name for package in sample.matching("")] == every
    for prefix in ("x", "linux-base\n", "\udcff"):
        assert list(sample.matching(prefix)) == []


def test_providing() -> None:
    found = index(
        stanza("mawk", Provides="awk"),
        stanza("gawk", Provides="cawk, awk (= 1:2)"),
        stanza("awk", Provides="x-awk, awkx, awk-1"),
        stanza("last", Provides="mail,awk"),
    )
    assert [package.name for package in found.providing("awk")] == ["mawk", "gawk", "last"]
    assert [package.name for package in found.providing("cawk")] == ["gawk"]
    assert list(found.providing("aw")) == []
    assert list(found.providing("aw.")) == []
    assert list(found.providing("no name")) == []


def test_every_version_in_the_order_of_the_index() -> None:
    sample = index(stanza("a", "1"), stanza("b"), stanza("a", "2"))
    assert [(package.name, package.version) for package in sample.matching("a")] == [
        ("a", "1"),
        ("a", "2"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\n".join(SAMPLE), id="plain"),
        pytest.param("\n" + "\n".join(SAMPLE), id="empty-line-first"),
        pytest.param("\n\n\n".join(SAMPLE) + "\n\n\n", id="empty-lines"),
        pytest.param("\n".join(SAMPLE).removesuffix("\n"), id="last-line-not-ended"),
    ],
)
def test_empty_lines(text: str) -> None:
    found = list(PackageIndex(text.encode()).matching(""))
    assert found == list(index(*SAMPLE).matching(""))


def test_nothing_in_it() -> None:
    for empty in (b"", b"\n"):
        assert PackageIndex(empty).find("a") == ()
        assert list(PackageIndex(empty).matching("")) == []


def test_kinds_of_data(tmp_path: Path) -> None:
    data = "\n".join(SAMPLE).encode()
    path = tmp_path / "Packages"
    path.write_bytes(data)
    expected = list(PackageIndex(data).matching(""))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        assert list(PackageIndex(mapped).matching("")) == expected


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("Version", [None, "", "1 2", "1/2", "-1", "1_2", "é"]),
        ("Architecture", [None, "", "amd64 arm64", "../x", "AMD64"]),
        (
            "Filename",
            [
                *(None, "", "/etc/passwd", "pool/../../x", "./x", "pool//x", "pool/", ".."),
                *("http://host/x", "file:/x", "pool\\x", "pool/\x1b[2J", "pool/x y", "pool/é"),
                "pool/x\n pool/y",
            ],
        ),
        ("Size", [None, "", "-1", "1.5", "0x10", "1 2", "\u0665", "9" * 5000]),
        ("SHA256", [None, "", SHA256[1:], SHA256 + "0", "g" + SHA256[1:], f"{SHA256} {SHA256}"]),
    ],
)
def test_malformed_field(field: str, values: list[str | None]) -> None:
    for value in values:
        sample = index(stanza("good"), stanza("bad-one", **{field: value}))
        message = f"^the index entry of bad-one has no valid field {field}: "
        with pytest.raises(FormatError, match=message) as caught:
            sample.find("bad-one")
        assert caught.value.hint
        assert len(caught.value.message) < 300
        with pytest.raises(FormatError, match=message):
            list(sample.matching("bad"))
        # What is not asked for does no harm.
        assert len(sample.find("good")) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (stanza("bad") + "no field\n", "line 13 of the index entry of bad is no field: 'no field'"),
        (stanza("bad") + f"sha256: {SHA256}\n", "line 13 of .* of bad repeats the field sha256"),
        (stanza("bad") + stanza("bad"), "line 13 of .* of bad repeats the field Package"),
        ("Section: x\n" + stanza("bad"), "entry of bad does not begin with the field Package"),
        (stanza("bad").removesuffix(f"SHA256: {SHA256}\n"), "of bad has no valid field SHA256"),
    ],
)
def test_malformed_stanza(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message) as caught:
        index(stanza("good"), text, stanza("good2")).find("bad")
    assert caught.value.hint


def test_not_utf_8() -> None:
    data = stanza("bad", Section="\xe9").encode("latin-1")
    with pytest.raises(FormatError, match="the index entry of bad is not UTF-8 at byte"):
        PackageIndex(data).find("bad")


@pytest.mark.parametrize("rest", ["\x1b[2J", "é", "/../x", " b", ""])
def test_malformed_name(rest: str) -> None:
    sample = index(stanza("good"), stanza("xx" + rest if rest else ""), stanza("good2"))
    prefix = "xx" if rest else ""
    with pytest.raises(FormatError, match="has a malformed name: '") as caught:
        list(sample.matching(prefix))
    assert caught.value.message.isprintable()
    assert len(sample.find("good2")) == 1


@given(st.lists(st.tuples(st.text("ab-", min_size=1, max_size=3), st.integers(0, 99))))
def test_any_index(rows: list[tuple[str, int]]) -> None:
    entries = [("n" + name, str(number)) for name, number in rows]
    sample = index(*(stanza(name, version) for name, version in entries))
    assert [(package.name, package.version) for package in sample.matching("")] == entries
    for wanted, _ in entries:
        numbers = [int(version) for name, version in entries if name == wanted]
        assert [int(text) for text in versions(sample.find(wanted))] == sorted(numbers)[::-1]
        matching = [package.name for package in sample.matching(wanted)]
        assert matching == [name for name, _ in entries if name.startswith(wanted)]
