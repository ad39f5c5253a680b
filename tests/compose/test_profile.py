from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from rdcompose.compose.profile import (
    DEFAULT,
    PLACES,
    ListFile,
    Profile,
    load_profile,
    profile_names,
)
from rdcompose.errors import SpecError
from rdcompose.kernel.modlist import MAX_LIST_SIZE, Line, ListEntry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    # Makes a profile folder from file names and texts, and returns it.
    Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def make_profile(name: str, **files: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True)
        for key, text in files.items():
            file = {"ramfs": "modules.ramfs", "autoload": "modules.autoload"}.get(key, key)
            (folder / file).write_text(text)
        return folder

    return make_profile


def patterns(profile: Profile) -> list[str]:
    return [entry.pattern for entry in profile.entries]


def refused(wanted: str, *places: Path) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load_profile(wanted, places)
    return caught.value


def test_whole_profile(make: Make) -> None:
    folder = make("mine", ramfs="fs/fat\n", autoload="vfat # FAT\n", README="\n  My own.\nMore\n")
    assert load_profile(str(folder)) == Profile(
        name="mine",
        description="My own.",
        entries=(ListEntry(line=Line("mine/modules.ramfs", 1, "fs/fat"), pattern="fs/fat"),),
        autoload=(ListEntry(line=Line("mine/modules.autoload", 1, "vfat"), pattern="vfat"),),
        additions=(),
        features=(),
        firmware=(),
        sources=(),
        files=(
            ListFile("mine/modules.ramfs", b"fs/fat\n"),
            ListFile("mine/modules.autoload", b"vfat # FAT\n"),
        ),
    )


def test_autoload_and_description_are_optional(make: Make) -> None:
    profile = load_profile(str(make("mine", ramfs="loop")))
    assert (profile.description, profile.autoload, len(profile.files)) == ("", (), 1)
    assert load_profile(str(make("other", ramfs="", README="\n \n"))).description == ""


def test_by_name(make: Make) -> None:
    place = make("place/virtual", ramfs="loop").parent
    make("place/bare", ramfs="")
    make("place/no-profile", README="")
    empty = make("empty")
    assert profile_names([empty, place]) == ("bare", "virtual")
    assert load_profile("virtual", [empty, place]).name == "virtual"


def test_current_directory(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(make("mine", ramfs="loop"))
    profile = load_profile(".")
    # The name of the directory would be a trace of this machine.
    assert (profile.name, profile.files[0].name) == (".", "modules.ramfs")


def test_built_in_name_before_a_folder(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    place = make("place/virtual", ramfs="built_in").parent
    monkeypatch.chdir(make("work/virtual", ramfs="mine").parent)
    make("work/other", ramfs="other")
    assert patterns(load_profile("virtual", [place])) == ["built_in"]
    assert patterns(load_profile("./virtual", [place])) == ["mine"]
    assert patterns(load_profile("virtual/", [place])) == ["mine"]
    assert patterns(load_profile("other", [place])) == ["other"]


def test_include(make: Make) -> None:
    place = make("place/base", ramfs="loop\nfs/fat", autoload="vfat").parent
    folder = make("mine", ramfs="first\n@include base\n!fs/fat\n", autoload="mine\n!vfat")
    profile = load_profile(str(folder), [place])
    assert patterns(profile) == ["first", "loop", "fs/fat", "fs/fat"]
    assert [entry.pattern for entry in profile.autoload] == ["vfat", "mine", "vfat"]
    assert [file.name for file in profile.files] == [
        "mine/modules.ramfs",
        "base/modules.ramfs",
        "base/modules.autoload",
        "mine/modules.autoload",
    ]


def test_include_by_path_starts_from_the_folder(make: Make) -> None:
    make("lists/common", ramfs="loop")
    folder = make("lists/deep/mine", ramfs="@include ../../common\nigb")
    assert patterns(load_profile(str(folder), [])) == ["loop", "igb"]


def test_included_twice_counts_once(make: Make) -> None:
    make("base", ramfs="loop")
    make("left", ramfs="@include ../base\nleft")
    make("right", ramfs="@include ../base\nright")
    top = make("top", ramfs="@include ../left\n@include ../right\n@include ../left")
    assert patterns(load_profile(str(top))) == ["loop", "left", "right"]


def test_include_circle(make: Make) -> None:
    make("a", ramfs="@include ../b")
    make("b", ramfs="loop\n@include ../c/")
    make("c", ramfs="@include ../b")
    alone = make("alone", ramfs="@include ./")
    assert refused(str(alone.parent / "a")).message == (
        "c/modules.ramfs:1: the profiles include each other: b -> c -> b"
    )
    assert refused(str(alone)).message == (
        "alone/modules.ramfs:1: the profiles include each other: alone -> alone"
    )


def test_include_of_what_is_not_there(make: Make) -> None:
    place = make("place/minivm", ramfs="").parent
    beside = make("beside", ramfs="")
    error = refused(str(make("mine", ramfs="\n@include minivn")), place)
    assert error.message == "mine/modules.ramfs:2: there is no profile 'minivn'"
    assert error.hint == "Did you mean 'minivm'?"
    # A name means a built-in profile wherever the list is.
    inside = make("outer", ramfs="@include inner")
    make("outer/inner", ramfs="")
    assert refused(str(inside), place).message == (
        "outer/modules.ramfs:1: there is no profile 'inner'"
    )
    (beside / "modules.ramfs").write_text("@include ../place")
    assert refused(str(beside), place).message == (
        "beside/modules.ramfs:1: the folder '../place' has no modules.ramfs"
    )


@pytest.mark.parametrize("wanted", ["nosuch", "no/such", ""])
def test_unknown(make: Make, wanted: str) -> None:
    place = make("place/minivm", ramfs="").parent
    make("place/generic", ramfs="")
    error = refused(wanted, place)
    assert error.message == f"there is no profile {wanted!r}"
    assert error.hint == (
        "Built-in profiles: generic, minivm; any other is named by its folder's path."
    )


def test_near_name(make: Make) -> None:
    place = make("place/minivm", ramfs="").parent
    assert refused("MiniVM2", place).hint is not None
    assert refused("minvm", place).hint == "Did you mean 'minivm'?"


def test_file_for_a_folder(make: Make) -> None:
    file = make("mine", ramfs="loop") / "modules.ramfs"
    assert refused(str(file)).hint == "A profile is a folder with modules.ramfs in it, not a file."


def test_folder_without_list(make: Make) -> None:
    folder = make("mine", README="nothing")
    assert refused(str(folder)).message == f"the folder {str(folder)!r} has no modules.ramfs"


def test_malformed_list(make: Make) -> None:
    assert refused(str(make("mine", ramfs="ok\n..\n"))).message == (
        "mine/modules.ramfs:2: '..' holds '..'"
    )


@pytest.mark.parametrize("name", ["modules.ramfs", "modules.autoload"])
def test_list_that_cannot_be_read(make: Make, name: str) -> None:
    folder = make("mine", ramfs="")
    (folder / "modules.ramfs").write_text("loop")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to("nowhere")
    assert refused(str(folder)).message == f"cannot read {folder / name}: No such file or directory"


def test_list_that_is_a_pipe_or_folder(make: Make) -> None:
    folder = make("mine", ramfs="loop")
    os.mkfifo(folder / "modules.autoload")
    assert refused(str(folder)).message == f"{folder / 'modules.autoload'} is not a regular file"
    odd = make("odd")
    (odd / "modules.ramfs").mkdir()
    assert refused(str(odd)).message == f"{odd / 'modules.ramfs'} is not a regular file"


def test_huge_list(make: Make) -> None:
    folder = make("mine", ramfs="#" * (MAX_LIST_SIZE + 1))
    assert refused(str(folder)).message == (
        "mine/modules.ramfs is over 1048576 bytes, so it is no module list"
    )


def test_shipped_profiles() -> None:
    assert profile_names() == ("generic", "minivm", "netboot", "pi", "pinet", "virtio")
    assert DEFAULT in profile_names()
    for name in profile_names():
        profile = load_profile(name)
        assert profile.name == name
        assert profile.description.endswith(".")
        assert profile.entries
    assert [entry.pattern for entry in load_profile(DEFAULT).autoload] == [
        "binfmt_misc",
        "msdos",
        "vfat",
        "nls_ascii",
        "nls_cp437",
        "loop",
        "fuse",
    ]


def test_places_of_wheel_and_checkout() -> None:
    wheel, checkout = PLACES
    assert wheel.parts[-3:] == ("rdcompose", "data", "module-lists")
    assert wheel.parent.parent.parent == checkout.parent
