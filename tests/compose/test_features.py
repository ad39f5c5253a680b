from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from rdcompose.compose.features import (
    add_features,
    feature_inputs,
    feature_names,
    load_features,
    missing_packages,
    parse_names,
)
from rdcompose.errors import SpecError
from rdcompose.tree import Bytes, File, Symlink, Tree, read_all

if TYPE_CHECKING:
    from pathlib import Path


class Make(Protocol):
    def __call__(self, name: str, **files: str) -> None: ...


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def write(name: str, **files: str) -> None:
        script = tmp_path / name / "etc" / "rdcompose" / "features" / f"{name}.sh"
        script.parent.mkdir(parents=True)
        script.write_text(f"features={name}\n")
        for file, text in {"README": "Text.\n", **files}.items():
            (tmp_path / name / file.replace("_", ".")).write_text(text)

    return write


def test_names_of_a_list() -> None:
    assert parse_names(b"# head\nnbd\n\n nfs  # root\nram network\n") == (
        "nbd",
        "nfs",
        "ram",
        "network",
    )


def test_what_a_feature_needs_comes_first(make: Make, tmp_path: Path) -> None:
    make("net")
    make("disk", features="net\n", modules_ramfs="nbd\nloop?\n", programs="client\n")
    first, second = load_features(["disk", "net"], tmp_path)
    assert (first.name, second.name) == ("net", "disk")
    assert second.requires == ("net",)
    assert [entry.pattern for entry in second.entries] == ["nbd", "loop"]
    assert str(second.entries[0].line) == "disk/modules.ramfs:1"
    assert second.programs == ("client",)
    files = [entry.path for entry in second.tree if isinstance(entry, File)]
    assert files == ["etc/rdcompose/features/disk.sh"]


def test_packages_of_programs_that_are_missing(make: Make, tmp_path: Path) -> None:
    make("net", programs="ip\nclient:client-package\n")
    make("disk", features="net", programs="other:disk-tools more:disk-tools\n")
    features = load_features(["disk"], tmp_path)
    assert [feature.programs for feature in features] == [("ip", "client"), ("other", "more")]
    assert missing_packages(features, ()) == ("client-package", "disk-tools")
    assert missing_packages(features, {"client", "more"}) == ("disk-tools",)
    assert missing_packages(features, {"client", "other", "more"}) == ()


def test_features_that_need_each_other(make: Make, tmp_path: Path) -> None:
    make("one", features="two")
    make("two", features="one")
    with pytest.raises(SpecError, match="require each other: one -> two -> one"):
        load_features(["one"], tmp_path)


def test_digest_tells_features_apart(make: Make, tmp_path: Path) -> None:
    make("one")
    [before] = feature_inputs(load_features(["one"], tmp_path))
    assert (before.role, before.file, before.source) == ("feature", "one", "built in")
    (tmp_path / "one" / "modules.ramfs").write_text("nbd\n")
    [after] = feature_inputs(load_features(["one"], tmp_path))
    assert after.sha256 != before.sha256


@pytest.mark.parametrize(
    ("name", "hint"),
    [("nett", "did you mean 'net'?"), ("quite-other", "there are disk, net"), ("", "there are")],
)
def test_unknown_feature(make: Make, tmp_path: Path, name: str, hint: str) -> None:
    make("net")
    make("disk")
    with pytest.raises(SpecError, match=f"there is no feature '{name}'") as caught:
        load_features([name], tmp_path)
    assert caught.value.hint is not None
    assert caught.value.hint.startswith(hint)


def test_feature_includes_no_profile(make: Make, tmp_path: Path) -> None:
    make("net", modules_ramfs="loop\n@include minivm\n")
    with pytest.raises(SpecError, match=r"net/modules\.ramfs:2: a feature includes no profile"):
        load_features(["net"], tmp_path)


def image(*entries: File | Symlink) -> Tree:
    tree = Tree()
    for entry in entries:
        tree.add(entry)
    return tree


@pytest.mark.parametrize("place", ["bin", "sbin", "usr/bin", "usr/sbin"])
def test_programs_may_be_anywhere(make: Make, tmp_path: Path, place: str) -> None:
    make("net", programs="client")
    tree = image(Symlink(path=f"{place}/client", target="/bin/busybox"))
    add_features(tree, load_features(["net"], tmp_path), builtin_init=True)
    assert "etc/rdcompose/features/net.sh" in tree


def test_program_that_is_missing(make: Make, tmp_path: Path) -> None:
    make("net", programs="client")
    with pytest.raises(SpecError, match="the feature net needs client, which the") as caught:
        add_features(image(), load_features(["net"], tmp_path), builtin_init=True)
    assert caught.value.hint == "take another busybox, or --add client"


def test_init_of_a_template_has_no_features(make: Make, tmp_path: Path) -> None:
    make("net")
    with pytest.raises(SpecError, match="the template has its own"):
        add_features(image(), load_features(["net"], tmp_path), builtin_init=False)


def test_template_has_the_last_word(make: Make, tmp_path: Path) -> None:
    make("net")
    own = File(path="etc/rdcompose/features/net.sh", content=Bytes(b"own"))
    tree = image(own)
    add_features(tree, load_features(["net"], tmp_path), builtin_init=True)
    found = tree.get(own.path)
    assert isinstance(found, File)
    assert read_all(found.content) == b"own"


def test_shipped_features() -> None:
    assert feature_names() == ("nbd", "network", "nfs", "ram")
    for feature in load_features(feature_names()):
        assert f"etc/rdcompose/features/{feature.name}.sh" in feature.tree
    dhcp = load_features(["network"])[0].tree.get("etc/rdcompose/dhcp")
    assert isinstance(dhcp, File)
    assert dhcp.mode == 0o755
