"""The client of the snapshot service against answers in the shapes of the real one.

The shapes are those of the file ``API`` and of the code behind it: ``_comment`` comes first,
versions are as dpkg has them, a hash has a list of places, and a file that had to be removed
has an empty one.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import re
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.archive.fetch import Fetched, Validators
from rdcompose.archive.snapshot import SERVICE, Snapshot, SnapshotFile, parse_timestamp
from rdcompose.errors import FetchError, FormatError, NotFoundError, UsageError

HERE = "https://snapshot.test"
KERNEL = "linux-image-6.12.107+deb13-amd64"
NAMED = re.compile(r"/mr/binary/([^/]+)/")
# Hash, architecture, places.
File = tuple[str, str, list[dict[str, Any]]]
FILES = re.compile(r"/mr/binary/([^/]+)/([^/]+)/binfiles\?fileinfo=1")


def place(
    name: str,
    archive: str = "debian",
    first_seen: str = "20260610T024512Z",
    path: str = "/pool/main/l/linux-signed-amd64",
) -> dict[str, Any]:
    """One place of a file, as the service writes it."""
    return {
        "archive_name": archive,
        "first_seen": first_seen,
        "name": name,
        "path": path,
        "size": 107898972,
    }


def sha1(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


@dataclasses.dataclass
class Service:
    """The service in memory: packages, their versions, and of each the files."""

    packages: dict[str, dict[str, list[File]]] = dataclasses.field(default_factory=dict)
    asked: list[str] = dataclasses.field(default_factory=list)

    def get(self, url: str, *, limit: int, validators: Validators | None = None) -> Fetched:
        assert validators is None
        self.asked.append(url)
        answer = self._answer(url.removeprefix(HERE))
        if answer is None:
            raise NotFoundError(f"{url}: HTTP status 404")
        data = json.dumps(answer).encode()
        if len(data) > limit:
            raise FetchError(f"{url}: more than {limit} bytes")
        return Fetched(data, Validators())

    def download(self, *_args: Any, **_options: Any) -> None:
        raise AssertionError("of the service only small answers are wanted")

    def _answer(self, path: str) -> dict[str, Any] | None:
        if match := NAMED.fullmatch(path):
            return self._versions(unquote(match[1]))
        match = FILES.fullmatch(path)
        assert match, path
        return self._files(unquote(match[1]), unquote(match[2]))

    def _versions(self, package: str) -> dict[str, Any] | None:
        if package not in self.packages:
            return None
        rows = [
            {"binary_version": version, "name": package, "source": "s", "version": version}
            for version in self.packages[package]
        ]
        return {"_comment": "foo", "binary": package, "result": rows}

    def _files(self, package: str, version: str) -> dict[str, Any] | None:
        files = self.packages.get(package, {}).get(version)
        if files is None:
            return None
        rows = [{"architecture": machine, "hash": digest} for digest, machine, _ in files]
        return {
            "_comment": "foo",
            "binary": package,
            "binary_version": version,
            "fileinfo": {digest: places for digest, _, places in files},
            "result": rows,
        }


@dataclasses.dataclass
class Answers:
    """Answers everything with the same bytes, or with an error."""

    data: bytes = b""
    error: FetchError | None = None

    def get(self, url: str, *, limit: int, validators: Validators | None = None) -> Fetched:
        assert validators is None
        if self.error is not None:
            raise self.error
        if len(self.data) > limit:
            raise FetchError(f"{url}: more than {limit} bytes")
        return Fetched(self.data, Validators())

    def download(self, *_args: Any, **_options: Any) -> None:
        raise AssertionError("of the service only small answers are wanted")


def snapshot(service: Service | Answers) -> Snapshot:
    return Snapshot(service, HERE)


def answering(answer: object) -> Snapshot:
    return snapshot(Answers(json.dumps(answer).encode()))


def kernel_file(architecture: str = "amd64") -> str:
    return f"{KERNEL}_6.12.107-1_{architecture}.deb"


def binfiles(row: dict[str, Any], *places: object) -> dict[str, Any]:
    """An answer with one file."""
    return {"fileinfo": {row.get("hash", "?"): list(places)}, "result": [row]}


# -- versions


def test_versions_newest_first_by_the_order_of_packages() -> None:
    # As strings, and so in the service's own order, 6.9 is above 6.12 and an epoch below 6.
    versions = ["6.9-1", "6.12-1~bpo12+1", "6.12-1", "1:1.0-1+b2"]
    service = Service({"busybox-static": {version: [] for version in versions}})
    assert snapshot(service).versions("busybox-static") == (
        "1:1.0-1+b2",
        "6.12-1",
        "6.12-1~bpo12+1",
        "6.9-1",
    )


def test_a_version_that_two_sources_built_is_there_once() -> None:
    rows = [
        {"binary_version": "1.0-1", "name": "a", "source": source, "version": "1"}
        for source in ("linux", "linux-signed-amd64")
    ]
    assert answering({"result": rows}).versions("abc") == ("1.0-1",)


def test_versions_of_an_unknown_package() -> None:
    assert snapshot(Service()).versions("linux-image-nosuch") == ()


@pytest.mark.parametrize(
    "name", ["", "a", "..", ".", "../../x", "a/b", "a b", "-a", "ä", "a\n", "a?b"]
)
def test_what_is_no_package_name_is_not_asked_for(name: str) -> None:
    service = Service()
    assert snapshot(service).versions(name) == ()
    assert snapshot(service).files(name, "1", "amd64") == ()
    assert snapshot(service).files("abc", f"/{name}", "amd64") == ()
    assert service.asked == []


def test_addresses_are_encoded_and_end_as_the_service_wants_them() -> None:
    service = Service({KERNEL: {"1:6.12~rc1+2-1": []}})
    client = snapshot(service)
    assert client.versions(KERNEL) == ("1:6.12~rc1+2-1",)
    assert client.files(KERNEL, "1:6.12~rc1+2-1", "amd64") == ()
    assert service.asked == [
        f"{HERE}/mr/binary/linux-image-6.12.107%2Bdeb13-amd64/",
        f"{HERE}/mr/binary/linux-image-6.12.107%2Bdeb13-amd64/1%3A6.12~rc1%2B2-1/binfiles?fileinfo=1",
    ]


# -- files


def test_a_file_with_its_place() -> None:
    digest = sha1("kernel")
    service = Service({KERNEL: {"6.12.107-1": [(digest, "amd64", [place(kernel_file())])]}})
    assert snapshot(service).files(KERNEL, "6.12.107-1", "amd64") == (
        SnapshotFile(
            name="linux-image-6.12.107+deb13-amd64_6.12.107-1_amd64.deb",
            archive="debian",
            path="pool/main/l/linux-signed-amd64",
            size=107898972,
            sha1=digest,
            first_seen="20260610T024512Z",
            version="6.12.107-1",
            architecture="amd64",
        ),
    )


def test_the_version_keeps_its_epoch_that_the_file_name_has_not() -> None:
    name = "busybox-static_1.37.0-6+b9_arm64.deb"
    service = Service({"busybox-static": {"1:1.37.0-6+b9": [(sha1("b"), "arm64", [place(name)])]}})
    (file,) = snapshot(service).files("busybox-static", "1:1.37.0-6+b9", "arm64")
    assert (file.version, file.name) == ("1:1.37.0-6+b9", name)


def test_the_main_archive_first_then_security_then_others_and_the_earliest_of_each() -> None:
    name = kernel_file()
    security = "/pool/updates/main/l/linux-signed-amd64"
    places = [
        place(name, "debian-ports", "20260101T000000Z", "/pool-amd64/main/l/linux"),
        place(name, "debian-security", "20260301T000000Z", security),
        place(name, "debian", "20260801T000000Z"),
        place(name, "debian-debug", "20260201T000000Z"),
        place(name, "debian", "20260310T000000Z"),
    ]
    service = Service({KERNEL: {"6.12.107-1": [(sha1("k"), "amd64", places)]}})
    files = snapshot(service).files(KERNEL, "6.12.107-1", "amd64")
    assert [(file.archive, file.first_seen) for file in files] == [
        ("debian", "20260310T000000Z"),
        ("debian", "20260801T000000Z"),
        ("debian-security", "20260301T000000Z"),
        ("debian-debug", "20260201T000000Z"),
        ("debian-ports", "20260101T000000Z"),
    ]
    assert {file.sha1 for file in files} == {sha1("k")}


def test_only_the_architecture_asked_for_and_what_is_for_all() -> None:
    files = [
        (sha1(architecture), architecture, [place(f"abc_1_{architecture}.deb")])
        for architecture in ("i386", "amd64", "all", "arm64")
    ]
    found = snapshot(Service({"abc": {"1": files}})).files("abc", "1", "arm64")
    assert {file.architecture for file in found} == {"arm64", "all"}


@pytest.mark.parametrize("row", [{}, {"architecture": None}])
def test_the_architecture_is_in_the_file_name_where_the_answer_leaves_it_out(
    row: dict[str, Any],
) -> None:
    answer = binfiles({"hash": sha1("a"), **row}, place(kernel_file("hurd-i386")))
    (file,) = answering(answer).files(KERNEL, "6.12.107-1", "hurd-i386")
    assert file.architecture == "hurd-i386"
    assert answering(answer).files(KERNEL, "6.12.107-1", "i386") == ()


def test_two_files_of_one_version_and_one_file_of_two_sources() -> None:
    files = [
        (sha1("x"), "amd64", [place("abc_1_amd64.deb")]),
        (sha1("x"), "amd64", [place("abc_1_amd64.deb")]),
        (sha1("y"), "amd64", [place("abc_1_amd64.deb", path="/pool/main/a/abc")]),
    ]
    found = snapshot(Service({"abc": {"1": files}})).files("abc", "1", "amd64")
    assert [file.sha1 for file in found] == [sha1("y"), sha1("x")]


def test_files_of_an_unknown_version() -> None:
    assert snapshot(Service({"abc": {}})).files("abc", "1", "amd64") == ()


def test_a_file_that_was_removed_from_the_service_has_no_place() -> None:
    service = Service({"abc": {"1": [(sha1("gone"), "amd64", [])]}})
    assert snapshot(service).files("abc", "1", "amd64") == ()
    answer = {"fileinfo": {}, "result": [{"architecture": "amd64", "hash": sha1("gone")}]}
    assert answering(answer).files("abc", "1", "amd64") == ()


# -- what may answer instead


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<!DOCTYPE html><title>Log in</title>",
        b"{",
        b"\xff\xfe\x00",
        b"[" * 200_000,
        b'{"result": ' + b"9" * 10_000 + b"}",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"result": null}',
        b'{"result": {}}',
        b'{"result": [null]}',
        b'{"result": ["6.1"]}',
        b'{"result": [{}]}',
        b'{"result": [{"binary_version": 6}]}',
        b'{"result": [{"binary_version": ""}]}',
        b'{"result": [{"binary_version": "../../etc"}]}',
        b'{"result": [{"binary_version": "6.1 "}]}',
        b'{"result": [{"binary_version": "6.1\\n"}]}',
        b'{"result": [{"binary_version": "6.1\\ud800"}]}',
        b'{"result": [{"binary_version": "6\xc2\xb9"}]}',
        b'{"result": [{"binary_version": "' + b"6" * 1000 + b'"}]}',
    ],
)
def test_malformed_answers_about_versions(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        snapshot(Answers(data)).versions("abc")
    assert caught.value.message.startswith(f"{HERE}/mr/binary/abc/: this is no answer")
    assert caught.value.hint
    assert len(caught.value.message) < 250
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "../../etc/passwd_1_amd64.deb"),
        ("name", "abc_1_amd64.deb/../../x"),
        ("name", "abc_1_amd64.txt"),
        ("name", "abc.deb"),
        ("name", "abc_\x1b[2J_amd64.deb"),
        ("name", "abc_1_amd64.deb\n"),
        ("name", ".abc_1_amd64.deb"),
        ("name", None),
        ("archive_name", "../debian"),
        ("archive_name", ".."),
        ("archive_name", "debian/x"),
        ("archive_name", "Debian"),
        ("archive_name", 5),
        ("path", "pool/main"),
        ("path", "/"),
        ("path", "/pool/../../etc"),
        ("path", "/pool/./main"),
        ("path", "/pool//main"),
        ("path", "/pool/main/"),
        ("path", "/pool\\main"),
        ("path", "https://elsewhere.test/pool"),
        ("path", "/" + "a/" * 200 + "b"),
        ("size", -1),
        ("size", 1.5),
        ("size", "107898972"),
        ("size", True),
        ("size", None),
        ("first_seen", "20261301T000000Z"),
        ("first_seen", "20260230T000000Z"),
        ("first_seen", "2026-06-10"),
        ("first_seen", "20260610T024512Z/.."),
        ("first_seen", "2026610T024512Z"),
        ("first_seen", "\u0662\u0660260610T024512Z"),
        ("first_seen", "20260610T024512Z\n"),
        ("first_seen", "now"),
        ("first_seen", 20260610),
    ],
)
def test_hostile_places(field: str, value: object) -> None:
    row = {"architecture": "amd64", "hash": sha1("k")}
    bad = {**place("abc_1_amd64.deb"), field: value}
    client = answering(binfiles(row, place("abc_1_amd64.deb"), bad))
    with pytest.raises(FormatError, match=rf"binfiles\?fileinfo=1: .* its {field} is ") as caught:
        client.files("abc", "1", "amd64")
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "digest", ["", "a" * 39, "A" * 40, "a" * 64, "../x", f"{'a' * 40}\n", 7, None]
)
def test_hostile_hashes(digest: object) -> None:
    client = answering({"fileinfo": {}, "result": [{"architecture": "amd64", "hash": digest}]})
    with pytest.raises(FormatError, match="its hash is "):
        client.files("abc", "1", "amd64")


@pytest.mark.parametrize("architecture", ["", "AMD64", "amd64\n", "../amd64", 64, ["amd64"]])
def test_hostile_architectures(architecture: object) -> None:
    row = {"architecture": architecture, "hash": sha1("k")}
    with pytest.raises(FormatError, match="its architecture is "):
        answering(binfiles(row, place("abc_1_amd64.deb"))).files("abc", "1", "amd64")


@pytest.mark.parametrize(
    "answer",
    [
        {"result": []},
        {"fileinfo": [], "result": []},
        {"fileinfo": None, "result": []},
        {"fileinfo": {}},
        {"fileinfo": {}, "result": "none"},
        {"fileinfo": {sha1("k"): {}}, "result": [{"architecture": "amd64", "hash": sha1("k")}]},
        {"fileinfo": {sha1("k"): [[]]}, "result": [{"architecture": "amd64", "hash": sha1("k")}]},
    ],
)
def test_malformed_answers_about_files(answer: object) -> None:
    with pytest.raises(FormatError, match="this is no answer of the snapshot service"):
        answering(answer).files("abc", "1", "amd64")


def test_an_answer_without_end_is_cut_off() -> None:
    client = snapshot(Answers(b'{"result": [' + b" " * (8 << 20) + b"]}"))
    with pytest.raises(FetchError, match="more than"):
        client.versions("abc")


def test_a_service_that_is_down_is_not_one_that_knows_nothing() -> None:
    client = snapshot(Answers(error=FetchError(f"{HERE}: HTTP status 503, 5 attempts")))
    with pytest.raises(FetchError, match="503"):
        client.versions("abc")
    with pytest.raises(FetchError, match="503"):
        client.files("abc", "1", "amd64")


TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
PLACES = st.fixed_dictionaries(
    {},
    optional={
        "name": JSON | st.sampled_from(["abc_1_amd64.deb", "a_1_all.udeb"]),
        "archive_name": JSON | st.sampled_from(["debian", "debian-security"]),
        "path": JSON | st.from_regex(r"/pool/[a-z./]*", fullmatch=True),
        "size": JSON,
        "first_seen": JSON | st.sampled_from(["20260610T024512Z", "20261310T024512Z"]),
    },
)
ANSWERS = JSON | st.fixed_dictionaries(
    {
        "fileinfo": JSON | st.fixed_dictionaries({"a" * 40: JSON | st.lists(PLACES, max_size=2)}),
        "result": JSON
        | st.lists(
            st.fixed_dictionaries(
                {"hash": st.just("a" * 40)}, optional={"architecture": JSON | st.just("amd64")}
            ),
            max_size=2,
        ),
    }
)


@given(ANSWERS)
def test_any_answer_is_understood_or_refused(answer: object) -> None:
    try:
        files = answering(answer).files("abc", "1", "amd64")
    except FormatError:
        return
    for file in files:
        assert re.fullmatch(r"[a-z0-9-]+", file.archive)
        assert re.fullmatch(r"\d{8}T\d{6}Z", file.first_seen, re.ASCII)
        assert not {"", ".", ".."} & set(f"{file.path}/{file.name}".split("/"))


# -- addresses


def test_addresses() -> None:
    client = Snapshot(Service(), "https://snapshot.test/")
    assert client.service == HERE
    assert (
        client.base("debian-security", "20240501T000000Z")
        == f"{HERE}/archive/debian-security/20240501T000000Z"
    )
    assert client.file_url("a" * 40) == f"{HERE}/file/{'a' * 40}"


def test_the_service_is_debians_own_unless_another_is_named() -> None:
    assert Snapshot(Service()).base("debian", "20240501T000000Z").startswith(f"{SERVICE}/archive/")


# -- timestamps


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20240501T123456Z", "20240501T123456Z"),
        ("2024-05-01T12:34:56Z", "20240501T123456Z"),
        ("2024-05-01", "20240501T000000Z"),
        ("2024-02-29", "20240229T000000Z"),
    ],
)
def test_timestamps(text: str, moment: str) -> None:
    assert parse_timestamp(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "now",
        "2024",
        "2024-05",
        "2024-5-1",
        "2023-02-29",
        "2024-13-01",
        "2024-05-01T24:00:00Z",
        "2024-05-01T12:00:60Z",
        "2024-05-01T12:00:00",
        "2024-05-01T12:00:00+02:00",
        "20240501T000000",
        "2024511T000000Z",
        "20240501T000000Z/..",
        " 2024-05-01",
        "2024-05-01\n",
        "\uff12\uff1024-05-01",
        "2024-05-01\0",
        "9" * 5000,
    ],
)
def test_what_is_no_timestamp(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_timestamp(text)
    assert caught.value.hint
    assert len(caught.value.message) < 150
    assert caught.value.message.isprintable()


@given(st.datetimes(timezones=st.just(datetime.UTC)).filter(lambda moment: moment.year > 999))
def test_every_form_of_a_moment_is_the_same(moment: datetime.datetime) -> None:
    expected = f"{moment:%Y%m%dT%H%M%SZ}"
    assert parse_timestamp(expected) == expected
    assert parse_timestamp(f"{moment:%Y-%m-%dT%H:%M:%SZ}") == expected
    assert parse_timestamp(f"{moment:%Y-%m-%d}") == f"{moment:%Y%m%d}T000000Z"


@given(st.text())
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    try:
        assert re.fullmatch(r"\d{8}T\d{6}Z", parse_timestamp(text), re.ASCII)
    except UsageError:
        return


def test_passwords_are_not_shown() -> None:
    class Page:
        def get(self, url: str, *, limit: int, validators: Validators | None = None) -> Fetched:
            assert (url[:4], limit, validators) == ("http", 4 << 20, None)
            return Fetched(b"<html>", Validators())

        def download(self, *_: object, **__: object) -> None:
            raise AssertionError

    with pytest.raises(FormatError) as caught:
        Snapshot(Page(), "https://me:word@snapshot.test").versions(KERNEL)
    assert caught.value.message.startswith("https://snapshot.test/mr/binary/")
