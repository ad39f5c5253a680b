"""rdcompose.compose.additions"""

from __future__ import annotations

import pytest

from rdcompose.compose.additions import relative
from rdcompose.compose.contents import TRIPLETS, common_path
from rdcompose.errors import FormatError, NotFoundError, SpecError
from rdcompose.kernel.release import ARCHITECTURES
from rdcompose.tree import Bytes, File, Symlink, Tree
from tests.support.additions import (
    LOADER,
    TRIPLET,
    Stock,
    add,
    c_library,
    contents,
    dynamic,
    paths,
    stock,
)
from tests.support.programs import make_library, make_program

LIB = f"usr/lib/{TRIPLET}"
C_FILES = {
    f"{LIB}/libc.so.6",
    f"{LIB}/ld-linux-x86-64.so.2",
    "usr/lib64/ld-linux-x86-64.so.2",
    "lib64/ld-linux-x86-64.so.2",
}


def tree(*entries: File | Symlink) -> Tree:
    made = Tree()
    for entry in entries:
        made.add(entry)
    return made


def needing(*needed: str, **more: str) -> bytes:
    return dynamic("libc.so.6", *needed, **more)


def test_program_with_its_libraries() -> None:
    foo: dict[str, bytes | str] = {
        f"{LIB}/libfoo.so.1.2": make_library("libfoo.so.1", ["libc.so.6", "libm.so.6"]),
        f"{LIB}/libfoo.so.1": "libfoo.so.1.2",
        f"{LIB}/libfoo-more.so.1": make_library("libfoo-more.so.1"),
    }
    more = {f"{LIB}/libm.so.6": make_library("libm.so.6")}
    result = add(
        "tool",
        contents(
            "tool", {"usr/sbin/tool": needing("libfoo.so.1"), "usr/share/x": b"x"}, "libc6 foo"
        ),
        contents("foo", foo, "libc6 m"),
        contents("m", more),
        c_library(),
        contents("never", {f"{LIB}/libm.so.6": make_library("libm.so.6", ["other"])}),
    )
    added = paths(result)
    assert set(added) == C_FILES | {
        "usr/sbin/tool",
        "sbin/tool",
        f"{LIB}/libfoo.so.1",
        f"{LIB}/libfoo.so.1.2",
        f"{LIB}/libm.so.6",
    }
    assert [(row.package, row.why) for row in map(added.__getitem__, sorted(added))] == [
        ("libc6", "another name of /usr/lib64/ld-linux-x86-64.so.2"),
        ("tool", "another name of /usr/sbin/tool"),
        ("libc6", "where /usr/lib64/ld-linux-x86-64.so.2 leads to"),
        ("libc6", "needed by /usr/sbin/tool"),
        ("foo", "needed by /usr/sbin/tool"),
        ("foo", f"where /{LIB}/libfoo.so.1 leads to"),
        ("m", f"needed by /{LIB}/libfoo.so.1.2"),
        ("libc6", "the dynamic linker of /usr/sbin/tool"),
        ("tool", "asked for: --add tool"),
    ]
    assert added["sbin/tool"].entry == Symlink(path="sbin/tool", target="../usr/sbin/tool")
    assert [row.package for row in result.inputs] == ["foo", "libc6", "m", "tool"]
    assert result.asked == ("tool",)


def test_static_program_needs_nothing() -> None:
    stocked = stock(contents("tool", {"bin/tool": make_program()}, "libc6"), c_library())
    assert set(paths(add("tool", *stocked.packages.values()))) == {"bin/tool"}
    assert stocked.given == []


def test_nothing_more_is_fetched_than_needed() -> None:
    packages = (
        contents("tool", {"bin/tool": needing()}, "libc6"),
        c_library(),
        contents("other", {"bin/other": needing()}),
    )
    store = stock(*packages)
    assert isinstance(store, Stock)
    added = add("tool", *packages)
    assert {row.package for row in added.files} == {"tool", "libc6"}


@pytest.mark.parametrize("asked", ["/sbin/tool", "/usr/sbin/tool", "/s*/t?ol", "/usr/sbin"])
@pytest.mark.parametrize("path", ["sbin/tool", "usr/sbin/tool"])
def test_paths_in_either_layout(asked: str, path: str) -> None:
    package = contents("tool", {path: make_program(), "usr/bin/more": make_program()})
    added = paths(add(f"tool:{asked}", package))
    assert path in added
    assert not any(name.endswith("more") for name in added)
    # Where /sbin is no link to /usr/sbin, the program is found by PATH all the same.
    assert "sbin/tool" in added


def test_data_and_directories() -> None:
    files = {"usr/share/x/a": b"a", "usr/share/x/y/b": b"b", "usr/share/z": b"z"}
    assert set(paths(add("tool:/usr/share/x", contents("tool", files)))) == {
        "usr/share/x/a",
        "usr/share/x/y/b",
    }


def test_library_alone() -> None:
    package = contents("plug", {f"{LIB}/plug/a.so": make_library("a.so", ["libc.so.6"])}, "libc6")
    added = paths(add("plug:/usr/lib/*/plug/*.so", package, c_library()))
    assert set(added) == {f"{LIB}/plug/a.so", f"{LIB}/libc.so.6", f"{LIB}/ld-linux-x86-64.so.2"}


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/bin/tool", "/usr/sbin/tool"),
        ("/usr/sbin/tol", "/usr/sbin/tool"),
        ("/none/whatever/at/all", "dpkg-deb"),
    ],
)
def test_path_that_is_not_there(path: str, hint: str) -> None:
    package = contents("tool", {"usr/sbin/tool": make_program()})
    with pytest.raises(SpecError, match=f"no {path} in tool 1.0") as caught:
        add(f"tool:{path}", package)
    assert hint in str(caught.value.hint)


def test_package_without_programs() -> None:
    with pytest.raises(SpecError, match=r"libc6 1.0 has no programs") as caught:
        add("libc6", c_library())
    assert "libc6:/PATH" in str(caught.value.hint)


def test_package_that_is_not_there() -> None:
    with pytest.raises(NotFoundError):
        add("tool")


@pytest.mark.parametrize(
    ("packages", "what"),
    [
        ((c_library(),), r"the library libfoo.so.1, which /bin/tool of tool 1.0 needs"),
        (
            (
                c_library(),
                contents("foo", {f"{LIB}/libfoo.so.1": make_library("x", ["libbar.so.2"])}),
            ),
            rf"the library libbar.so.2, which /{LIB}/libfoo.so.1 of foo 1.0 needs",
        ),
        (
            (contents("foo", {f"{LIB}/libfoo.so.1": make_library("x")}), contents("libc6", {})),
            rf"the dynamic linker {LOADER}, which /bin/tool of tool 1.0 needs",
        ),
        (
            (
                c_library(),
                contents("foo", {f"{LIB}/libfoo.so.1": make_library("x", machine=183)}),
            ),
            rf"the library libfoo.so.1, .*: /{LIB}/libfoo.so.1 of foo 1.0 is for another",
        ),
        (
            # Not where the dynamic linker looks.
            (c_library(), contents("foo", {"usr/lib/foo/libfoo.so.1": make_library("x")})),
            r"the library libfoo.so.1",
        ),
    ],
)
def test_what_no_dependency_has(packages: tuple, what: str) -> None:  # type: ignore[type-arg]
    names = " ".join(package.package for package in packages)
    program = contents("tool", {"bin/tool": needing("libfoo.so.1")}, names)
    with pytest.raises(SpecError, match=what):
        add("tool", program, *packages)


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"runpath": "$ORIGIN/../lib/tool"}, "usr/lib/tool"),
        ({"rpath": "${ORIGIN}/../lib/tool:/nowhere"}, "usr/lib/tool"),
        ({"runpath": "/usr/$LIB/tool"}, f"{LIB}/tool"),
        ({"runpath": "/opt/tool"}, "opt/tool"),
        ({"runpath": "relative:$PLATFORM/x:/opt"}, LIB),
    ],
)
def test_own_directories_come_first(more: dict[str, str], where: str) -> None:
    files = {
        "usr/bin/tool": needing("libown.so", **more),
        f"{where}/libown.so": make_library("libown.so"),
        f"{LIB}/libown.so": make_library("libown.so"),
    }
    added = paths(add("tool", contents("tool", files, "libc6"), c_library()))
    assert [path for path in added if path.endswith("libown.so")] == [f"{where}/libown.so"]


@pytest.mark.parametrize(("kind", "found"), [("rpath", True), ("runpath", False)])
def test_old_paths_hold_for_the_libraries_of_libraries(kind: str, *, found: bool) -> None:
    files = {
        "usr/bin/tool": needing("libone.so", **{kind: "/opt/x"}),
        "opt/x/libone.so": make_library("libone.so", ["libtwo.so"]),
        "opt/x/libtwo.so": make_library("libtwo.so"),
    }
    package = contents("tool", files, "libc6")
    if found:
        assert "opt/x/libtwo.so" in paths(add("tool", package, c_library()))
    else:
        with pytest.raises(SpecError, match="libtwo"):
            add("tool", package, c_library())


def test_library_that_is_loaded_already_is_not_looked_for() -> None:
    # libtwo.so needs by name what only tool knows where to find.
    files = {
        "usr/bin/tool": needing("libone.so", "libtwo.so", runpath="/opt/x"),
        "opt/x/libone.so": make_library("libone.so"),
        "opt/x/libtwo.so": make_library("libtwo.so", ["libone.so"]),
    }
    assert "opt/x/libone.so" in paths(add("tool", contents("tool", files, "libc6"), c_library()))


def test_asked_for_by_the_other_spelling() -> None:
    files = {
        "usr/bin/tool": needing("libown.so", runpath="/usr/lib/tool"),
        "lib/tool/libown.so": make_library("libown.so"),
    }
    added = paths(add("tool", contents("tool", files, "libc6"), c_library("")))
    assert added["usr/lib/tool/libown.so"].entry == Symlink(
        path="usr/lib/tool/libown.so", target="../../../lib/tool/libown.so"
    )
    assert added["usr/lib/tool/libown.so"].leads_to == "lib/tool/libown.so"


def test_links_between_packages() -> None:
    kmod = contents(
        "kmod",
        {"bin/kmod": make_program(), "sbin/modprobe": "/bin/kmod", "sbin/depmod": "../bin/kmod"},
    )
    added = paths(add("kmod:/sbin/modprobe", kmod))
    assert set(added) == {"sbin/modprobe", "bin/kmod"}
    assert added["sbin/modprobe"].leads_to == "bin/kmod"
    assert added["bin/kmod"].why == "where /sbin/modprobe leads to"


def test_link_that_leads_nowhere() -> None:
    files: dict[str, bytes | str] = {
        "usr/bin/vi": "/etc/alternatives/vi",
        "usr/bin/vim": make_program(),
    }
    package = contents("vim", files, "libc6")
    result = add("vim", package, c_library())
    assert set(paths(result)) == {"usr/bin/vim", "bin/vim"}
    assert result.notes == (
        "left out: /usr/bin/vi of vim 1.0 is a link to /etc/alternatives/vi, which no package has",
    )
    with pytest.raises(SpecError, match=r"/usr/bin/vi of vim 1.0 is a link to"):
        add("vim:/usr/bin/vi", package)


def test_link_to_a_directory() -> None:
    files: dict[str, bytes | str] = {"usr/share/x/a": b"a", "usr/share/y": "x"}
    assert set(paths(add("xx:/usr/share", contents("xx", files)))) == set(files)


def test_circle_of_links() -> None:
    files = {"bin/a": "b", "bin/b": "a"}
    with pytest.raises(SpecError, match="circle"):
        add("xx", contents("xx", files))


def test_program_for_another_machine() -> None:
    package = contents("tool", {"bin/tool": make_program(machine=183)})
    with pytest.raises(SpecError, match=r"/bin/tool is for 64-bit AArch64, but the kernel is amd"):
        add("tool", package)
    assert paths(add("tool", package, architecture="arm64"))


def test_library_for_another_machine_is_passed_over() -> None:
    wrong = contents("wrong", {f"lib/{TRIPLET}/libx.so": make_library("libx.so", machine=3)})
    right = contents("right", {"usr/lib/libx.so": make_library("libx.so")})
    program = contents("tool", {"bin/tool": needing("libx.so")}, "libc6 wrong right")
    assert "usr/lib/libx.so" in paths(add("tool", program, wrong, right, c_library()))


def test_damaged_program() -> None:
    package = contents("tool", {"bin/tool": make_program()[:50]})
    with pytest.raises(FormatError, match=r"/bin/tool of tool 1.0"):
        add("tool", package)


def test_different_files_at_one_path() -> None:
    one = contents("one", {"bin/tool": make_program(b"1")})
    other = contents("other", {"usr/bin/tool": make_program(b"2")})
    with pytest.raises(SpecError, match=r"one 1.0 and other 1.0 have different files at /bin/tool"):
        add("one other", one, other)


def test_same_files_at_one_path() -> None:
    one, other = (contents(name, {"bin/tool": make_program()}) for name in ("one", "other"))
    result = add("one other", one, other)
    assert set(paths(result)) == {"bin/tool"}
    assert [row.package for row in result.inputs] == ["one"]


def test_template_has_it() -> None:
    library = File(path=f"{LIB}/libc.so.6", content=Bytes(make_library("libc.so.6")))
    loader = File(path=LOADER[1:], content=Bytes(make_library("ld.so")))
    program = contents("tool", {"bin/tool": needing()}, "libc6")
    result = add("tool", program, c_library(), template=tree(library, loader))
    assert set(paths(result)) == {"bin/tool"}


def test_template_has_another_file() -> None:
    package = contents("tool", {"sbin/tool": make_program()})
    with pytest.raises(SpecError, match="the template has another file at /sbin/tool"):
        add("tool", package, template=tree(File(path="sbin/tool", content=Bytes(b"#!/bin/sh\n"))))
    busybox = Symlink(path="sbin/tool", target="../bin/busybox")
    assert set(paths(add("tool", package, template=tree(busybox)))) == {"sbin/tool"}
    same = File(path="sbin/tool", content=Bytes(make_program()))
    assert not add("tool", package, template=tree(same)).files


def test_scripts() -> None:
    files = {"usr/bin/s": b"#! /bin/sh -e\n", "usr/bin/t": b"text", "usr/bin/u": b"#!\n"}
    scripts = add("xx", contents("xx", files)).scripts
    assert [(row.path, row.interpreter) for row in scripts] == [("usr/bin/s", "/bin/sh")]


def test_same_result_in_any_order() -> None:
    packages = [
        contents("aa", {"bin/a": needing("libx.so")}, "libc6 x"),
        contents("bb", {"bin/b": needing("libx.so")}, "x libc6"),
        contents("x", {f"{LIB}/libx.so": make_library("libx.so")}),
        c_library(),
    ]
    one, other = add("aa bb", *packages), add("bb aa", *reversed(packages))
    assert [row.entry for row in one.files] == [row.entry for row in other.files]
    assert one.inputs == other.inputs


def test_every_architecture_has_its_directory() -> None:
    assert TRIPLETS.keys() == ARCHITECTURES.keys()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("usr/lib/x", "lib/x"),
        ("usr/lib64/x", "lib64/x"),
        ("usr/libexec/x", "usr/libexec/x"),
        ("usr/bin", "bin"),
        ("usr/share/bin", "usr/share/bin"),
        ("opt/usr/bin/x", "opt/usr/bin/x"),
    ],
)
def test_common_path(path: str, expected: str) -> None:
    assert common_path(path) == expected


@pytest.mark.parametrize(
    ("link", "target", "expected"),
    [
        ("sbin/x", "usr/sbin/x", "../usr/sbin/x"),
        ("usr/lib/a/x", "usr/lib/b/x", "../b/x"),
        ("x", "y", "y"),
        ("a/x", "a/y", "y"),
        ("a/x", "x", "../x"),
    ],
)
def test_relative(link: str, target: str, expected: str) -> None:
    assert relative(link, target) == expected
