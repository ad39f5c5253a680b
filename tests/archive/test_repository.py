"""A suite and its indexes: what is believed, what is kept, and what is asked for again."""

from __future__ import annotations

import dataclasses
import datetime
import gc
from typing import TYPE_CHECKING, Any, Final

import pytest

from rdcompose.archive.fetch import Fetched, HttpFetcher, Validators
from rdcompose.archive.repository import Suite, open_suite
from rdcompose.errors import FetchError, FormatError, NotFoundError, TrustError
from tests.support.accesses import NOW, Desk
from tests.support.archive import DATE, SimulatedArchive, SuiteBuilder, bomb
from tests.support.archive_packages import package
from tests.support.server import ArchiveServer
from tests.support.signing import make_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rdcompose.archive.repository import SuiteSource
    from rdcompose.errors import RdcomposeError

KEY: Final = make_key()
OTHER: Final = make_key("somebody else")
DAY: Final = datetime.timedelta(days=1)
XZ: Final = "main/binary-amd64/Packages.xz"


@dataclasses.dataclass
class Mirror:
    """One suite, served, and a client of it."""

    archive: SimulatedArchive
    bookworm: SuiteBuilder
    server: ArchiveServer
    desk: Desk

    @property
    def base(self) -> str:
        return f"{self.server.url}/debian"

    def source(self, suite: str = "bookworm", **settings: Any) -> SuiteSource:
        return self.desk.source(settings.pop("base", self.base), suite, **settings)

    def open(self, suite: str = "bookworm", **settings: Any) -> Suite:
        """Open a suite, as another process each time."""
        names = ("offline", "allow_unverified", "now")
        access = {name: settings.pop(name) for name in names if name in settings}
        return open_suite(self.source(suite, **settings), self.desk.access(**access))

    def refused(
        self, kind: type[RdcomposeError] = TrustError, suite: str = "bookworm", **settings: Any
    ) -> str:
        """Open a suite and look for a package; returns the message why that fails."""
        with pytest.raises(kind) as caught:
            self.open(suite, **settings).find("hello", "amd64")
        assert type(caught.value) is kind
        assert "\n" not in caught.value.message
        return caught.value.message

    def change(self, days: int, *versions: str) -> None:
        """Put versions of a package into the suite, and date it."""
        self.bookworm.date = DATE + days * DAY
        for version in versions:
            self.bookworm.add(package("hello", version, "amd64", {}))
        self.bookworm.write()

    def asked(self) -> list[str]:
        """Return the names of what was asked for since the last time."""
        paths = [path.removeprefix("/debian/dists/") for path in self.server.paths()]
        self.server.requests.clear()
        return paths


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    archive = SimulatedArchive(tmp_path / "mirror" / "debian", KEY)
    suite = archive.suite("bookworm", suite="stable", date=DATE)
    suite.add(package("hello", "1.0", "amd64", {}))
    suite.write()
    with ArchiveServer(tmp_path / "mirror") as server:
        yield Mirror(archive, suite, server, Desk(tmp_path / "cache", KEY))


def versions(suite: Suite) -> list[str]:
    return [row.version for row in suite.find("hello", "amd64")]


def test_packages_are_found(mirror: Mirror) -> None:
    mirror.change(0, "1.2", "1.10")
    suite = mirror.open()
    assert suite.verified
    assert versions(suite) == ["1.10", "1.2", "1.0"]
    assert {row.name for row in suite.matching("hel", "amd64")} == {"hello"}
    assert suite.find("hello", "arm64") == ()
    assert suite.find("hell", "amd64") == ()
    assert suite.find("hello", "vax") == ()
    first = suite.find("hello", "amd64")[0]
    assert suite.url(first) == f"{mirror.base}/pool/main/h/hello/hello_1.10_amd64.deb"
    # That of arm64 is empty.
    assert mirror.desk.watched == ["bookworm_main_amd64_Packages"]


def test_addresses_of_files_are_escaped(mirror: Mirror) -> None:
    name = "pool/main/h/hello/hello_1.0+b1~x%41?#_amd64.deb"
    mirror.bookworm.remove("hello")
    deb = package("hello", "1.0", "amd64", {})
    mirror.bookworm.add(deb, overrides={"Filename": name})
    mirror.bookworm.write()
    suite = mirror.open()
    (found,) = suite.find("hello", "amd64")
    assert suite.url(found).endswith("/hello_1.0+b1~x%2541%3F%23_amd64.deb")


@pytest.mark.parametrize(
    ("fields", "suite", "name"),
    [
        ({}, "bookworm", "bookworm"),
        ({}, "stable", "bookworm"),
        ({"Codename": None}, "stable", "stable"),
        ({"Codename": "buster"}, "stable/updates", "buster/updates"),
        ({"Codename": "buster/updates"}, "stable/updates", "buster/updates"),
    ],
)
def test_name_is_the_codename(
    mirror: Mirror, fields: dict[str, str | None], suite: str, name: str
) -> None:
    mirror.bookworm.fields |= fields
    mirror.bookworm.write()
    inrelease = mirror.bookworm.inrelease.read_bytes()
    mirror.server.replace("*/stable/updates/InRelease", inrelease)
    opened = mirror.open(suite)
    assert opened.name == name
    assert opened.identity == (mirror.base, "Debian", name)


def test_second_time_only_the_signed_index_is_asked_for(mirror: Mirror) -> None:
    versions(mirror.open())
    first = mirror.asked()
    assert first[0] == "bookworm/InRelease"
    assert len(first) == 2
    assert first[1].startswith("bookworm/main/binary-amd64/by-hash/SHA256/")
    suite = mirror.open()
    assert versions(suite) == versions(suite) == ["1.0"]
    del suite
    gc.collect()  # what is in use is not removed
    assert mirror.server.requests[0].headers["if-none-match"]
    assert mirror.asked() == ["bookworm/InRelease"]
    mirror.change(1, "2.0")
    assert versions(mirror.open()) == ["2.0", "1.0"]
    assert len(mirror.asked()) == 2
    # The index that was superseded is gone, and what was compressed too.
    assert len(mirror.desk.cache.entries()) == 1


def test_a_server_without_validators(mirror: Mirror) -> None:
    mirror.server.validators = False
    versions(mirror.open())
    before = {path: path.stat().st_ino for path in mirror.desk.directory.rglob("documents/*")}
    versions(mirror.open())
    # Nothing changed, and so nothing was written.
    assert {path: path.stat().st_ino for path in before} == before
    assert len(mirror.asked()) == 3


def test_nothing_changed_unasked(mirror: Mirror) -> None:
    mirror.server.fail("*/InRelease", status=304)
    message = mirror.refused(FetchError)
    assert (
        message == f"{mirror.base}/dists/bookworm/InRelease: the server says that nothing "
        "changed, unasked"
    )


@pytest.mark.parametrize(
    ("stored", "by_hash", "names"),
    [
        ((".gz", ".xz"), False, ["Packages.xz"]),
        ((".gz",), False, ["Packages.gz"]),
        (("",), False, ["Packages"]),
    ],
)
def test_forms_of_an_index(
    mirror: Mirror, stored: tuple[str, ...], by_hash: bool, names: list[str]
) -> None:
    suite = mirror.archive.suite("trixie", stored=stored, by_hash=by_hash)
    suite.add(package("hello", "3.0", "amd64", {}))
    suite.write()
    assert versions(mirror.open("trixie")) == ["3.0"]
    assert [path.rpartition("/")[2] for path in mirror.asked()[1:]] == names


def test_mirror_without_addresses_by_hash(mirror: Mirror) -> None:
    mirror.server.fail("*/by-hash/*", status=404)
    assert versions(mirror.open()) == ["1.0"]
    assert mirror.asked()[-1] == f"bookworm/{XZ}"


def test_next_form_where_the_first_is_missing(mirror: Mirror) -> None:
    mirror.bookworm.tamper(XZ, lambda _: None)
    mirror.change(0)
    assert versions(mirror.open()) == ["1.0"]
    assert mirror.asked()[-2] == f"bookworm/{XZ}"


def test_no_form_at_all(mirror: Mirror) -> None:
    mirror.server.fail("*/binary-amd64/*", status=404)
    message = mirror.refused(FetchError)
    assert message.startswith(f"{mirror.base}/dists/bookworm has no main/binary-amd64/Packages in")


def test_components(mirror: Mirror) -> None:
    suite = mirror.archive.suite("trixie", components=("main", "contrib", "empty"))
    suite.add(package("hello", "3.0", "amd64", {}))
    suite.add(package("hello", "3.1", "amd64", {}), "contrib")
    suite.write()
    # Of an empty index nothing is asked for, of one that the suite lacks neither.
    components = ("main", "contrib", "empty", "non-free")
    assert versions(mirror.open("trixie", components=components)) == ["3.0", "3.1"]
    assert len(mirror.asked()) == 3
    assert versions(mirror.open("trixie")) == ["3.0"]


# What is not believed.


def other_key(mirror: Mirror) -> None:
    mirror.bookworm.key = OTHER


def expired(mirror: Mirror) -> None:
    mirror.bookworm.valid_until = DATE


def from_the_future(mirror: Mirror) -> None:
    mirror.bookworm.date = NOW + DAY


def another_suite(mirror: Mirror) -> None:
    mirror.bookworm.fields |= {"Suite": "oldstable", "Codename": "bullseye"}


def rolled_back(mirror: Mirror) -> None:
    mirror.open()
    mirror.bookworm.date = DATE - DAY


BREAKS: list[tuple[Callable[[Mirror], None], str]] = [
    (other_key, "no such key is in the keyring of the tests"),
    (expired, "was valid until 2024-02-10"),
    (from_the_future, "is in the future"),
    (another_suite, "is not the index of bookworm"),
    (rolled_back, "gone back in time"),
]


@pytest.mark.parametrize(("broken", "expected"), BREAKS)
def test_broken_links(mirror: Mirror, broken: Callable[[Mirror], None], expected: str) -> None:
    broken(mirror)
    mirror.bookworm.write()
    message = mirror.refused()
    assert message.startswith(f"{mirror.base}/dists/bookworm/InRelease")
    assert expected in message
    assert mirror.desk.warnings == []


@pytest.mark.parametrize(("broken", "expected"), BREAKS)
def test_what_was_allowed_counts_for_nothing_later(
    mirror: Mirror, broken: Callable[[Mirror], None], expected: str
) -> None:
    """What passed only because it was allowed to is never taken for verified, nor kept as it."""
    broken(mirror)
    mirror.change(
        (mirror.bookworm.date - DATE).days,
        "9.0",
    )
    good = mirror.desk.cache.document(f"{mirror.base}/dists/bookworm/InRelease")
    suite = mirror.open(allow_unverified=True)
    assert not suite.verified
    assert versions(suite) == ["9.0", "1.0"]
    (warning,) = mirror.desk.warnings
    assert warning.startswith("UNVERIFIED, as --allow-unverified says: http")
    assert expected in warning
    assert mirror.desk.cache.document(f"{mirror.base}/dists/bookworm/InRelease") == good
    if good is None:
        assert "--offline" in mirror.refused(NotFoundError, offline=True)
        kept = mirror.open(offline=True, allow_unverified=True)
        assert versions(kept) == ["9.0", "1.0"]
        # Whether it expires is no question without a network.
        assert kept.verified == (broken in {expired})


def test_text_without_signature(mirror: Mirror) -> None:
    release = mirror.bookworm.directory / "Release"
    mirror.bookworm.inrelease.write_bytes(release.read_bytes())
    assert "it is not signed" in mirror.refused()
    assert not mirror.open(allow_unverified=True).verified


def test_archive_without_signatures(mirror: Mirror) -> None:
    mirror.bookworm.inrelease.unlink()
    assert "404" in mirror.refused(NotFoundError)
    assert versions(mirror.open(allow_unverified=True)) == ["1.0"]
    # Once there are signatures, those count.
    mirror.bookworm.write()
    assert mirror.open().verified


@pytest.mark.parametrize("allowed", [True, False])
def test_what_is_no_index_at_all(mirror: Mirror, allowed: bool) -> None:
    page = b"<html>\nPlease log in.\n"
    for data in (page, b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n" + page):
        mirror.server.replace("*/bookworm/InRelease", data)
        for foreign in (True, False):
            message = mirror.refused(
                FormatError if allowed else TrustError,
                allow_unverified=allowed,
                may_be_foreign=foreign,
            )
            assert message.startswith(f"{mirror.base}/dists/bookworm/InRelease: ")
        mirror.server.clear()


def test_signed_nonsense(mirror: Mirror) -> None:
    mirror.bookworm.inrelease.write_bytes(KEY.clearsign(b"Suite: stable\n"))
    message = mirror.refused(FormatError)
    assert message.startswith(f"{mirror.base}/dists/bookworm/InRelease: the Release file has no")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda _: bomb(".xz", 64 << 20), "unpacks to more than"),
        (lambda data: data[: len(data) // 2], "Packages.xz is not what the signed index"),
    ],
)
def test_signed_index_does_not_unpack(
    mirror: Mirror, change: Callable[[bytes], bytes], expected: str
) -> None:
    mirror.bookworm.tamper(XZ, change, listed=True)
    mirror.bookworm.write()
    message = mirror.refused()
    assert message.startswith(f"{mirror.base}/dists/bookworm: ")
    assert expected in message
    assert mirror.desk.cache.partials() == []


def test_index_that_is_another(mirror: Mirror) -> None:
    mirror.bookworm.tamper(XZ, lambda data: data[:-1] + b"X")
    mirror.bookworm.write()
    assert "SHA-256" in mirror.refused()


@pytest.mark.parametrize("look", ["find", "matching"])
def test_malformed_stanza(mirror: Mirror, look: str) -> None:
    mirror.bookworm.add(package("hello", "2.0", "amd64", {}), overrides={"Filename": "../x"})
    mirror.bookworm.write()
    suite = mirror.open()
    with pytest.raises(FormatError) as caught:
        getattr(suite, look)("hello", "amd64")
    assert caught.value.message.startswith(f"{mirror.base}/dists/bookworm: the index entry of ")


@pytest.mark.parametrize("codename", ["../../x", "/etc", ".hidden", "a b", "x/.."])
def test_codename_is_no_path(mirror: Mirror, codename: str) -> None:
    mirror.bookworm.fields["Codename"] = codename
    mirror.bookworm.write()
    assert versions(mirror.open("stable")) == ["1.0"]
    inside = mirror.desk.directory / "objects"
    (entry,) = mirror.desk.cache.entries()
    assert "/" not in entry.name
    assert not entry.name.startswith(".")
    assert (inside / entry.sha256 / entry.name).is_file()


# Other vendors.


def test_suite_of_another_vendor_is_none(mirror: Mirror) -> None:
    mirror.bookworm.key = OTHER
    mirror.bookworm.origin = "Vendor"
    mirror.bookworm.write()
    message = mirror.refused(NotFoundError, may_be_foreign=True)
    assert message == f"{mirror.base}/dists/bookworm/InRelease is of Vendor, not of Debian"
    assert "no such key" in mirror.refused()
    # Nor does anybody get it for being allowed what is not verified.
    mirror.refused(NotFoundError, may_be_foreign=True, allow_unverified=True)


def test_vendor_without_a_name(mirror: Mirror) -> None:
    mirror.bookworm.key = OTHER
    mirror.bookworm.fields["Origin"] = None
    mirror.bookworm.write()
    assert "an unnamed vendor" in mirror.refused(NotFoundError, may_be_foreign=True)


@pytest.mark.parametrize("origin", ["Debian", "Debian Backports"])
def test_who_claims_to_be_debian_is_not_passed_over(mirror: Mirror, origin: str) -> None:
    mirror.bookworm.key = OTHER
    mirror.bookworm.origin = origin
    mirror.bookworm.write()
    assert "no such key" in mirror.refused(may_be_foreign=True)


def test_who_has_a_trusted_key_is_no_foreigner(mirror: Mirror) -> None:
    """A company's own mirror, whose key was given, may be called what it is."""
    mirror.bookworm.origin = "Company"
    mirror.bookworm.write()
    assert mirror.open(may_be_foreign=True).verified
    mirror.bookworm.valid_until = DATE
    mirror.bookworm.write()
    assert "was valid until" in mirror.refused(may_be_foreign=True)


# Age.


def test_check_of_validity_can_be_left_out(mirror: Mirror) -> None:
    expired(mirror)
    mirror.bookworm.write()
    assert mirror.open(check_valid_until=False).verified


def test_pinned_states_are_old_on_purpose(mirror: Mirror) -> None:
    mirror.open()
    expired(mirror)
    mirror.bookworm.date = DATE - DAY
    mirror.bookworm.write()
    assert versions(mirror.open(pinned=True, base=f"{mirror.server.url}/./debian")) == ["1.0"]
    assert "gone back" not in mirror.refused()
    mirror.asked()
    assert versions(mirror.open(pinned=True, base=f"{mirror.server.url}/./debian")) == ["1.0"]
    assert mirror.asked() == []


def test_pinned_states_are_no_memory(mirror: Mirror) -> None:
    mirror.open(pinned=True)
    mirror.bookworm.date = DATE - DAY
    mirror.bookworm.write()
    assert mirror.open().verified


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({}, {"suite": "stable"}),
        ({"suite": "stable"}, {}),
        ({"known_as": "https://u:p@other/debian"}, {"known_as": "http://other:80/debian"}),
    ],
)
def test_rollback_by_another_name(
    mirror: Mirror, first: dict[str, Any], then: dict[str, Any]
) -> None:
    mirror.open(**first)
    mirror.bookworm.date = DATE - DAY
    mirror.bookworm.write()
    assert "gone back in time" in mirror.refused(**then)
    assert "gone back in time" in mirror.refused(**first)


def test_rollback_to_the_release_before(mirror: Mirror) -> None:
    """What stable was before is older than what it is, though it never was older itself."""
    mirror.open("stable")
    old = mirror.archive.suite("bullseye", suite="stable", date=DATE - DAY)
    old.write()
    assert "gone back in time" in mirror.refused(suite="stable")
    assert mirror.open("bullseye").verified


def test_rollback_is_remembered_when_the_cache_was_emptied(mirror: Mirror) -> None:
    mirror.open()
    mirror.desk.cache.clean()
    mirror.bookworm.date = DATE - DAY
    mirror.bookworm.write()
    assert "gone back in time" in mirror.refused()
    # Another mirror may be behind.
    assert mirror.open(known_as="http://other").verified


def test_what_was_not_verified_is_no_memory(mirror: Mirror) -> None:
    mirror.bookworm.key = OTHER
    mirror.change(1)
    mirror.open(allow_unverified=True)
    mirror.bookworm.key = KEY
    mirror.change(0)
    assert mirror.open().verified


# Without a network.


def test_offline_takes_what_is_there(mirror: Mirror) -> None:
    mirror.bookworm.valid_until = NOW
    mirror.change(0)
    assert versions(mirror.open()) == ["1.0"]
    mirror.asked()
    later = mirror.open(offline=True, now=NOW + 100 * DAY)
    assert later.verified
    assert versions(later) == ["1.0"]
    assert mirror.asked() == []


def test_offline_checks_signatures(mirror: Mirror) -> None:
    versions(mirror.open())
    mirror.desk = Desk(mirror.desk.directory, OTHER)
    assert "no such key" in mirror.refused(offline=True)
    assert not mirror.open(offline=True, allow_unverified=True).verified


def test_offline_keeps_an_index_and_the_state_it_is_of(mirror: Mirror) -> None:
    versions(mirror.open())
    mirror.change(1, "2.0")
    assert mirror.open().find("hello", "arm64") == ()
    assert versions(mirror.open(offline=True)) == ["1.0"]
    assert versions(mirror.open()) == ["2.0", "1.0"]
    assert versions(mirror.open(offline=True)) == ["2.0", "1.0"]


def test_who_began_earlier_does_not_bring_the_older_index_back(mirror: Mirror) -> None:
    slow = mirror.open()
    mirror.change(1, "2.0")
    assert versions(mirror.open()) == ["2.0", "1.0"]
    assert versions(slow) == ["1.0"]
    assert versions(mirror.open(offline=True)) == ["2.0", "1.0"]
    # Of the two indexes the newer is left.
    assert len(mirror.desk.cache.entries()) == 1


def test_another_fetches_a_newer_state_meanwhile(mirror: Mirror) -> None:
    """The one that came first is then older than one seen before, and no attack."""

    class Overtaken(HttpFetcher):
        def get(self, url: str, **settings: Any) -> Fetched | None:
            fetched = super().get(url, **settings)
            mirror.change(1, "2.0")
            assert versions(mirror.open()) == ["2.0", "1.0"]
            return fetched

    suite = open_suite(mirror.source(), mirror.desk.access(fetcher=Overtaken()))
    assert suite.verified
    assert versions(suite) == ["2.0", "1.0"]
    assert versions(mirror.open(offline=True)) == ["2.0", "1.0"]


def test_offline_state_that_an_index_is_of_must_be_signed_too(mirror: Mirror) -> None:
    """The newest state may have another key than the one that an index in the cache is of."""
    both = Desk(mirror.desk.directory, KEY, OTHER)
    mirror.desk = both
    versions(mirror.open())
    mirror.bookworm.key = OTHER
    mirror.change(1, "2.0")
    mirror.open()
    mirror.desk = Desk(mirror.desk.directory, OTHER)
    assert "no such key" in mirror.refused(offline=True)
    suite = mirror.open(offline=True, allow_unverified=True)
    assert suite.verified
    assert versions(suite) == ["1.0"]
    assert not suite.verified


def test_offline_without_anything(mirror: Mirror) -> None:
    with pytest.raises(NotFoundError) as caught:
        mirror.open(offline=True)
    assert caught.value.hint == "run once without --offline"
    mirror.open()
    assert "--offline" in mirror.refused(FetchError, offline=True)


# Passwords.


def test_credentials_are_neither_shown_nor_kept(mirror: Mirror) -> None:
    secret = mirror.base.replace("http://", "http://user:word@")
    versions(mirror.open(base=secret))
    assert "authorization" in mirror.server.requests[0].headers
    files = (path for path in mirror.desk.directory.rglob("*") if path.is_file())
    kept = b"".join(path.read_bytes() for path in files)
    assert b"dists/bookworm" in kept
    assert b"word" not in kept
    messages = []
    for broken, _ in BREAKS:
        mirror.bookworm.key, mirror.bookworm.date = KEY, DATE
        mirror.bookworm.fields.clear()
        mirror.bookworm.valid_until = None
        mirror.bookworm.write()
        broken(mirror)
        mirror.bookworm.write()
        messages.append(mirror.refused(base=secret))
    mirror.bookworm.key, mirror.bookworm.valid_until = KEY, None
    mirror.bookworm.fields.clear()
    mirror.bookworm.tamper(XZ, lambda _: b"no xz", listed=True)
    mirror.change(2, "2.0")
    mirror.server.fail("*/binary-amd64/*", status=404)
    messages.append(mirror.refused(FetchError, base=secret, now=NOW + 9 * DAY))
    mirror.server.clear()
    messages.append(mirror.refused(base=secret, now=NOW + 9 * DAY))
    messages.append(mirror.refused(NotFoundError, "trixie", base=secret, offline=True))
    mirror.server.fail("*/sid/InRelease", status=304)
    messages.append(mirror.refused(FetchError, "sid", base=secret))
    for message in messages:
        assert "127.0.0.1" in message
        assert "word" not in message


class Liar:
    """A fetcher whose answers are of its own making."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def get(self, url: str, *, limit: int, validators: Validators | None = None) -> Fetched:  # noqa: ARG002
        assert limit < 1 << 30
        assert validators is None
        return Fetched(self.data, Validators())

    def download(self, *_: object, **__: object) -> None:
        raise FetchError("no")


def test_an_index_that_is_malformed_is_not_kept(mirror: Mirror) -> None:
    access = mirror.desk.access(fetcher=Liar(b"x"))
    with pytest.raises(TrustError):
        open_suite(mirror.source(), access)
    assert mirror.desk.cache.documents() == []
