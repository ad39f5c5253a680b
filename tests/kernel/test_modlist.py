from __future__ import annotations

import pytest

from rdcompose.errors import SpecError
from rdcompose.kernel.modlist import (
    MAX_LIST_SIZE,
    Include,
    Line,
    ListEntry,
    Origin,
    parse_autoload,
    parse_firmware,
    parse_modules,
    raise_problems,
)


def entry(
    number: int, text: str, pattern: str, *, exclude: bool = False, optional: bool = False
) -> ListEntry:
    return ListEntry(
        line=Line("list", number, text), pattern=pattern, exclude=exclude, optional=optional
    )


def modules(text: str) -> tuple[ListEntry | Include, ...]:
    return parse_modules(text.encode(), file="list")


def test_minivm_form() -> None:
    text = (
        "# Modules for initramfs\n"
        "\n"
        "drivers/ata\t\t\t# ata_generic, ata_piix\n"
        "drivers/acpi/button.ko\n"
        "   \t\n"
        "  fs/fat # fat, msdos\n"
        "net/core/failover.ko"
    )
    assert modules(text) == (
        entry(3, "drivers/ata", "drivers/ata"),
        entry(4, "drivers/acpi/button.ko", "drivers/acpi/button.ko"),
        entry(6, "fs/fat", "fs/fat"),
        entry(7, "net/core/failover.ko", "net/core/failover.ko"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("virtio_blk", entry(1, "virtio_blk", "virtio_blk"), id="name"),
        pytest.param("fuse?", entry(1, "fuse?", "fuse", optional=True), id="optional"),
        pytest.param("fuse ?", entry(1, "fuse ?", "fuse", optional=True), id="optional apart"),
        pytest.param("!pata_*", entry(1, "!pata_*", "pata_*", exclude=True), id="exclude"),
        pytest.param("!a?", entry(1, "!a?", "a", exclude=True, optional=True), id="both marks"),
        pytest.param("a??", entry(1, "a??", "a?", optional=True), id="glob and optional"),
        pytest.param("nls_[a-c]*", entry(1, "nls_[a-c]*", "nls_[a-c]*"), id="brackets"),
        pytest.param("[]a]", entry(1, "[]a]", "[]a]"), id="bracket in brackets"),
        pytest.param("./fs//fat/", entry(1, "./fs//fat/", "fs/fat/"), id="untidy path"),
        pytest.param("a#b", entry(1, "a#b", "a#b"), id="number sign in a word"),
        pytest.param("a\u00a0# x", entry(1, "a", "a"), id="no-break space"),
    ],
)
def test_entry(text: str, expected: ListEntry) -> None:
    assert modules(text) == (expected,)


def test_several_entries_of_one_line() -> None:
    assert modules("a b ? !c") == (
        entry(1, "a", "a"),
        entry(1, "b ?", "b", optional=True),
        entry(1, "!c", "c", exclude=True),
    )


def test_include() -> None:
    assert modules("@include minivm # base\n@include\t../my own") == (
        Include(Line("list", 1, "@include minivm"), "minivm"),
        Include(Line("list", 2, "@include\t../my own"), "../my own"),
    )


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xef\xbb\xbfa\nb", id="byte order mark"),
        pytest.param(b"a\r\nb\r\n", id="CRLF"),
        pytest.param(b"a # one\rb", id="CR"),
        pytest.param(b"a # f\xfcr Ger\xe4te\nb", id="comment in Latin-1"),
        pytest.param(b"a # form\x0cfeed \xe2\x80\xa8 x\nb", id="other line separators"),
    ],
)
def test_what_editors_make_of_a_list(data: bytes) -> None:
    found = parse_modules(data, file="list")
    assert found == (entry(1, "a", "a"), entry(2, "b", "b"))


def test_bytes_that_are_no_text_are_shown() -> None:
    assert parse_modules(b"ger\xe4t", file="list") == (entry(1, r"ger\xe4t", r"ger\xe4t"),)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# nothing\n", b"\xef\xbb\xbf"])
def test_empty(data: bytes) -> None:
    assert parse_modules(data, file="list") == ()
    assert parse_autoload(data, file="list") == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"\xff\xfea\0", "list is UTF-16", id="UTF-16 LE"),
        pytest.param(b"\xfe\xff\0a", "list is UTF-16", id="UTF-16 BE"),
        pytest.param(b"a\0b", "list holds NUL bytes, so it is no module list", id="binary"),
        pytest.param(
            b"a" * (MAX_LIST_SIZE + 1),
            "list is over 1048576 bytes, so it is no module list",
            id="huge",
        ),
    ],
)
def test_no_list_at_all(data: bytes, message: str) -> None:
    for parse in (parse_modules, parse_autoload):
        with pytest.raises(SpecError) as caught:
            parse(data, file="list")
        assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a" * 5000, f"list:1: '{'a' * 60}'… is longer than any path"),
        ("!", "list:1: '!' names no module"),
        ("?", "list:1: '?' names no module"),
        ("! a", "list:1: '!' names no module"),
        ("./", "list:1: './' names no module; all of them are '*'"),
        ("fs/../net", "list:1: 'fs/../net' holds '..'"),
        (
            "/lib/modules/x.ko",
            (
                "list:1: '/lib/modules/x.ko' is absolute; paths are relative to"
                " the kernel's module directory kernel/"
            ),
        ),
        ("nls_[ab", "list:1: 'nls_[ab' has a '[' without its ']'"),
        ("[]/a]", "list:1: '[]/a]' has a '[' without its ']'"),
        ("@import x", "list:1: unknown directive '@import' (there is @include PROFILE)"),
        ("@includes", "list:1: unknown directive '@includes' (there is @include PROFILE)"),
        ("@include", "list:1: @include names no profile"),
    ],
)
def test_malformed(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        modules(text)
    assert caught.value.message == message


def test_all_problems_in_one_error() -> None:
    with pytest.raises(SpecError) as caught:
        modules("!\n/a\nok\n..\n[\n@x\n/b\n/c")
    assert caught.value.message == (
        "7 errors in the module lists: list:1: '!' names no module; "
        "list:2: '/a' is absolute; paths are relative to the kernel's module directory kernel/; "
        "list:4: '..' holds '..'; "
        "list:5: '[' has a '[' without its ']'; "
        "list:6: unknown directive '@x' (there is @include PROFILE); and 2 more"
    )


def test_two_problems_without_a_rest() -> None:
    with pytest.raises(SpecError) as caught:
        raise_problems(["a", "b"], hint="do this")
    assert caught.value.message == "2 errors in the module lists: a; b"
    assert caught.value.hint == "do this"


def test_no_problem() -> None:
    raise_problems([])


def test_autoload() -> None:
    data = b"binfmt-misc # first\nloop.ko fuse?\n!vfat\nchar-major-10-229\n"
    assert parse_autoload(data, file="list") == (
        entry(1, "binfmt-misc", "binfmt_misc"),
        entry(2, "loop.ko", "loop"),
        entry(2, "fuse?", "fuse", optional=True),
        entry(3, "!vfat", "vfat", exclude=True),
        entry(4, "char-major-10-229", "char_major_10_229"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("!", "list:1: '!' names no module"),
        (
            "loop max_loop=8",
            (
                "list:1: 'max_loop=8' looks like a module option;"
                " options go on the kernel command line, as in loop.max_loop=8"
            ),
        ),
        (
            "drivers/block/loop.ko",
            "list:1: 'drivers/block/loop.ko' is a path; modules are loaded by their name, 'loop'",
        ),
        (
            "nls_*",
            "list:1: 'nls_*' is a pattern; what is loaded, and in which order, is named one by one",
        ),
        (
            "@include minivm",
            (
                "list:1: '@include minivm' is for modules.ramfs only"
                " (there @include brings the modules.autoload along)"
            ),
        ),
    ],
)
def test_malformed_autoload(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_autoload(text.encode(), file="list")
    assert caught.value.message == message


def test_firmware() -> None:
    text = "a/b.fw # for b\n./nic/*.fw? !nic/x-[12] d/\n@from  firmware-nic\n@from ./blobs # ours\n"
    assert parse_firmware(text.encode(), file="list") == (
        entry(1, "a/b.fw", "a/b.fw"),
        entry(2, "./nic/*.fw?", "nic/*.fw", optional=True),
        entry(2, "!nic/x-[12]", "nic/x-[12]", exclude=True),
        entry(2, "d/", "d"),
        Origin(Line("list", 3, "@from  firmware-nic"), "firmware-nic"),
        Origin(Line("list", 4, "@from ./blobs"), "./blobs"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("/lib/firmware/a", "'/lib/firmware/a' is absolute; paths are relative to /lib/firmware"),
        ("../a", "is no path below"),
        (".", "is no path below"),
        ("!", "names no firmware"),
        ("a\n@include x", "list:2: '@include x' is no directive"),
        ("@from", "'@from' is no directive"),
        ("/a\n/b", "2 errors in the .*: list:1: .*; list:2: "),
    ],
)
def test_malformed_firmware(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_firmware(text.encode(), file="list")
