from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.errors import SpecError
from rdcompose.formats.cpiolist import Quoted, list_words, write_list, write_template_list
from rdcompose.tree import Bytes, Directory, Entry, File, Node, NodeKind, Symlink, decode_name

EVERY = [
    Directory(path="bin", mode=0o1777),
    File(path="bin/sh", mode=0o4755, content=Bytes(b"x"), uid=1, gid=2),
    Symlink(path="bin/ash", target="../bin/sh"),
    Node(path="console", kind=NodeKind.CHARACTER, major=5, minor=1),
    Node(path="vda", mode=0o660, kind=NodeKind.BLOCK, major=254, minor=16),
    Node(path="fifo", kind=NodeKind.FIFO),
    Node(path="socket", kind=NodeKind.SOCKET),
    File(path="Müller", content=Bytes(b"")),
]


def test_every_kind_of_entry() -> None:
    assert write_list(EVERY, "here").decode().splitlines() == [
        "dir /bin 1777 0 0",
        "file /bin/sh here/bin/sh 4755 1 2",
        "slink /bin/ash ../bin/sh 777 0 0",
        "nod /console 600 0 0 c 5 1",
        "nod /vda 660 0 0 b 254 16",
        "pipe /fifo 600 0 0",
        "sock /socket 600 0 0",
        "file /Müller here/Müller 644 0 0",
    ]


def test_bytes_that_are_no_text() -> None:
    entry = File(path="M\udcfcller", content=Bytes(b""))
    assert write_list([entry], "d") == b"file /M\xfcller d/M\xfcller 644 0 0\n"


IMPOSSIBLE = {
    "blank": File(path="a b", content=Bytes(b"")),
    "tab": Directory(path="a\tb"),
    "newline": Node(path="a\nb", kind=NodeKind.FIFO),
    "target": Symlink(path="a", target="to here"),
    "empty target": Symlink(path="a", target=""),
    "variable": File(path="a${HOME}", content=Bytes(b"")),
    "long": Directory(path="x" * 4096),
}


@pytest.mark.parametrize("entry", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_names_that_cannot_stand_in_a_list(entry: Entry) -> None:
    with pytest.raises(SpecError, match="cannot stand in a list for gen_init_cpio") as caught:
        write_list([entry], "d")
    assert caught.value.hint == "the kernel's build takes an archive, too: --emit cpio"


def test_only_files_have_their_content_somewhere() -> None:
    entry = Directory(path="a${HOME}")
    assert write_list([entry], "d") == b"dir /a${HOME} 755 0 0\n"


STRANGE = [
    File(path="a b", mode=0o4755, content=Bytes(b"")),
    File(path="a${HOME}", content=Bytes(b"")),
    Directory(path='"x"\n'),
    Symlink(path="back\\101slash", target='t o\\101"'),
    Symlink(path="M\udcfcller\u00a0x", target="\u2028"),
    Node(path="tab\t", kind=NodeKind.CHARACTER, major=1, minor=3),
]


def test_lists_of_templates_hold_every_name() -> None:
    lines = write_template_list([*EVERY, *STRANGE]).split(b"\n")
    assert lines.pop() == b""
    assert lines[: len(EVERY)] == write_list(EVERY, ".").splitlines()
    assert lines[len(EVERY) :] == [
        b'file "/a b" "./a b" 4755 0 0',
        b'file "/a\\044{HOME}" "./a\\044{HOME}" 644 0 0',
        b'dir "/\\042x\\042\\012" 755 0 0',
        b'slink /back\\101slash "t o\\134101\\042" 777 0 0',
        b"slink /M\xfcller\xc2\xa0x \xe2\x80\xa8 777 0 0",
        b'nod "/tab\\011" 600 0 0 c 1 3',
    ]
    for line, entry in zip(lines, [*EVERY, *STRANGE], strict=True):
        assert list_words(line)[1] == f"/{entry.path}"


@given(st.binary(min_size=1, max_size=20).filter(lambda raw: b"\0" not in raw))
def test_words_come_back(raw: bytes) -> None:
    target = decode_name(raw)
    (line,) = write_template_list([Symlink(path="x", target=target)]).split(b"\n")[:-1]
    assert list_words(line) == ["slink", "/x", target, "777", "0", "0"]


def test_what_is_no_quoted_word() -> None:
    assert list_words(b'  "a"b "c\td" e"f "" "g ') == ['"a"b', "c\td", 'e"f', "", '"g']
    assert [isinstance(word, Quoted) for word in list_words(b'a "a"')] == [False, True]
