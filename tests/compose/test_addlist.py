"""rdcompose.compose.addlist"""

from __future__ import annotations

from pathlib import Path

import pytest

from rdcompose.compose.addlist import MAX_LIST_SIZE, Request, parse_add_list, parse_request
from rdcompose.errors import SpecError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nbd-client", Request("nbd-client", "nbd-client", None, "")),
        (
            "e2fsprogs:/sbin/e2fsck",
            Request("e2fsprogs:/sbin/e2fsck", "e2fsprogs", None, "/sbin/e2fsck"),
        ),
        ("libc6:/lib/*/", Request("libc6:/lib/*/", "libc6", None, "/lib/*")),
        ("x/y_1_amd64.deb", Request("./y_1_amd64.deb", "", Path("x/y_1_amd64.deb"), "")),
        ("y.deb:/bin/y", Request("./y.deb:/bin/y", "", Path("y.deb"), "/bin/y")),
        ("/x/tool", Request("./tool", "", Path("/x/tool"), "")),
        ("./tool:/sbin/t", Request("./tool:/sbin/t", "", Path("tool"), "/sbin/t")),
    ],
)
def test_requests(text: str, expected: Request) -> None:
    assert parse_request(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "blanks"),
        ("a b", "blanks"),
        ("kmod ", "blanks"),
        ("Kmod", "no name of a package"),
        ("-x", "no name of a package"),
        ("kmod:sbin", "no name of a package"),
        ("kmod:/", "no absolute path"),
        ("kmod:/a//b", "no absolute path"),
        ("kmod:/../b", "no absolute path"),
        (":/bin/x", "no name of a package"),
    ],
)
def test_malformed(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        parse_request(text)
    assert caught.value.hint is not None


def test_list() -> None:
    data = b"# programs\n\nkmod\t# for kernel modules\r\n  ./own:/bin/own  \n"
    first, second = parse_add_list(data, file="mine/add", folder=Path("there"))
    assert first == Request("kmod", "kmod", None, "", "mine/add:3")
    assert second == Request("./own:/bin/own", "", Path("there/own"), "/bin/own", "mine/add:4")
    assert str(first) == "mine/add:3: kmod"
    assert str(parse_request("kmod")) == "--add kmod"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"kmod\nkmod busybox\n", "mine/add:2: .* blanks"),
        (b"kmod\n\xff\n", "mine/add is not UTF-8 at byte 5"),
        (b"#" * (MAX_LIST_SIZE + 1), "mine/add has over"),
    ],
)
def test_bad_list(data: bytes, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_add_list(data, file="mine/add", folder=Path())
