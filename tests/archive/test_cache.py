from __future__ import annotations

import hashlib
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.archive.cache import Cache, Document, _component
from rdcompose.errors import FetchError, FormatError, OutputError, TrustError
from tests.support.cache_worker import DATA, NAME, NEW, OLD, SHA256, append, store
from tests.support.caches import Filler, begin, files, never, obtain, set_used


def test_what_was_stored_is_found(cache: Cache) -> None:
    assert cache.find(SHA256, len(DATA)) is None
    path = store(cache)
    assert cache.find(SHA256, len(DATA)) == path
    assert (path.name, path.read_bytes()) == (NAME, DATA)
    assert files(cache) == {f"objects/{SHA256}/{NAME}"}


def test_looking_makes_no_directory(cache: Cache) -> None:
    assert cache.find(SHA256, 1) is None
    assert cache.document("key") is None
    assert cache.newest("key") is None
    assert (cache.entries(), cache.partials(), cache.documents()) == ([], [], [])
    assert cache.clean() == (0, 0)
    cache.remove(SHA256)
    assert not cache.directory.exists()


def test_a_new_directory_is_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o755)
    for directory, mode in ((tmp_path / "a" / "b", 0o700), (tmp_path / "mine", 0o755)):
        store(Cache(directory))
        assert directory.stat().st_mode & 0o777 == mode


def test_the_second_obtain_fetches_nothing(cache: Cache) -> None:
    fill = Filler()
    path = obtain(cache, fill)
    assert fill.found == [b""]
    assert path.read_bytes() == DATA
    assert cache.obtain(SHA256, len(DATA), "another name", never) == path
    assert Cache(cache.directory).obtain(SHA256.upper(), len(DATA), NAME, never) == path


def test_an_empty_file(cache: Cache) -> None:
    digest = hashlib.sha256().hexdigest()
    path = store(cache, b"")
    assert path.read_bytes() == b""
    assert cache.find(digest, 0) == path


def test_a_download_that_was_cut_goes_on(cache: Cache) -> None:
    with pytest.raises(FetchError, match="cut"):
        obtain(cache, Filler(fail_at=5000))
    [left] = cache.partials()
    assert (left.name, left.sha256, left.size) == ("", SHA256, 5000)
    fill = Filler()
    assert obtain(cache, fill).read_bytes() == DATA
    assert fill.found == [DATA[:5000]]
    assert cache.partials() == []


def test_nothing_is_left_of_what_never_began(cache: Cache) -> None:
    with pytest.raises(FetchError, match="cut"):
        obtain(cache, Filler(fail_at=0))
    assert files(cache) == set()


def test_killed_between_the_last_byte_and_the_renaming(cache: Cache) -> None:
    begin(cache, DATA)
    assert cache.obtain(SHA256, len(DATA), NAME, never).read_bytes() == DATA


@pytest.mark.parametrize(
    ("left", "found"),
    [
        (b"x" * 5000, [b"x" * 5000, b""]),
        (b"x" * len(DATA), [b""]),
        (b"x" * (len(DATA) + 1), [b""]),
    ],
    ids=["short", "as long", "longer"],
)
def test_a_wrong_beginning_is_dropped(cache: Cache, left: bytes, found: list[bytes]) -> None:
    begin(cache, left)
    fill = Filler()
    assert obtain(cache, fill).read_bytes() == DATA
    assert fill.found == found


@pytest.mark.parametrize("left", [b"", b"x" * 5000], ids=["cold", "begun"])
@pytest.mark.parametrize(
    "wrong", [b"y" + DATA[1:], DATA[:-1], DATA + b"y", b""], ids=["other", "short", "long", "empty"]
)
def test_a_wrong_file_is_refused(cache: Cache, left: bytes, wrong: bytes) -> None:
    begin(cache, left)
    fill = Filler(wrong)
    with pytest.raises(TrustError) as caught:
        obtain(cache, fill)
    assert caught.value.message == (
        f"{NAME} is not the file that was asked for: it has SHA-256 "
        f"{hashlib.sha256(wrong).hexdigest()} and {len(wrong)} bytes, not SHA-256 {SHA256} and "
        f"{len(DATA)} bytes"
    )
    assert caught.value.hint is not None
    assert fill.found == ([b""] if left == b"" else [left, b""])
    assert files(cache) == set()


@pytest.mark.parametrize(
    "damage",
    [b"", DATA[:-1], DATA + b"y", b"y" + DATA[1:]],
    ids=["empty", "short", "long", "other"],
)
def test_a_damaged_file_is_removed_and_fetched_again(cache: Cache, damage: bytes) -> None:
    path = store(cache)
    path.write_bytes(damage)
    assert cache.find(SHA256, len(DATA)) is None
    assert files(cache) == set()
    fill = Filler()
    assert obtain(cache, fill).read_bytes() == DATA
    assert fill.found == [b""]


def test_a_wrong_size_condemns_no_file(cache: Cache) -> None:
    path = store(cache)
    assert cache.find(SHA256, len(DATA) - 1) is None
    with pytest.raises(TrustError, match=f"not SHA-256 {SHA256} and 7 bytes"):
        cache.obtain(SHA256, 7, NAME, lambda partial: append(partial, DATA))
    assert cache.find(SHA256, len(DATA)) == path


def test_use_is_noted(cache: Cache) -> None:
    path = store(cache)
    set_used(path, OLD)
    assert [entry.used for entry in cache.entries()] == [OLD]
    cache.find(SHA256, len(DATA))
    [entry] = cache.entries()
    assert entry.used > NEW


def test_what_was_found_complete_counts_as_used_now(cache: Cache) -> None:
    begin(cache, DATA)
    set_used(cache.directory / "partial" / SHA256, OLD)
    cache.obtain(SHA256, len(DATA), NAME, never)
    assert cache.entries()[0].used > NEW


def test_remove(cache: Cache) -> None:
    store(cache)
    cache.remove(SHA256)
    cache.remove(SHA256)
    assert cache.find(SHA256, len(DATA)) is None
    assert list((cache.directory / "objects").iterdir()) == []


def test_one_fill_within_another(cache: Cache) -> None:
    packed = b"packed"
    digest = hashlib.sha256(packed).hexdigest()

    def fill(partial: Path) -> None:
        assert store(cache, packed, "packed").read_bytes() == packed
        append(partial, DATA)
        cache.remove(digest)

    assert cache.obtain(SHA256, len(DATA), NAME, fill).read_bytes() == DATA
    assert files(cache) == {f"objects/{SHA256}/{NAME}"}


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("linux-image-6.1.0-18_6.1.76-1_amd64.deb", "linux-image-6.1.0-18_6.1.76-1_amd64.deb"),
        ("a_1%3a2+b~c_all.deb", "a_1%3a2+b~c_all.deb"),
        ("../../etc/passwd", "_._.._etc_passwd"),
        ("/etc/passwd", "_etc_passwd"),
        ("..", "_."),
        (".", "_"),
        ("", "_"),
        (".hidden", "_hidden"),
        ("a\0b\nc\x1b[31m", "a_b_c__31m"),
        ("Käse \udcff.deb", "K_se__.deb"),
        ("x" * 300 + ".deb", "x" * 196 + ".deb"),
    ],
)
def test_hostile_names_become_plain_ones(cache: Cache, name: str, safe: str) -> None:
    path = store(cache, name=name)
    assert path == cache.directory / "objects" / SHA256 / safe
    assert cache.find(SHA256, len(DATA)) == path


@given(st.text())
def test_any_name_becomes_one_component(name: str) -> None:
    safe = _component(name)
    assert Path(safe).name == safe
    assert safe.isascii()
    assert safe.isprintable()
    assert 1 <= len(safe) <= 200
    assert not safe.startswith(".")
    assert _component(safe) == safe


@pytest.mark.parametrize("digest", ["", "../../x", SHA256[:-1], SHA256 + "0", "g" * 64, "ä" * 64])
def test_what_is_no_digest_is_refused(cache: Cache, digest: str) -> None:
    with pytest.raises(FormatError, match="is no SHA-256 digest"):
        cache.find(digest, 1)
    with pytest.raises(FormatError, match="is no SHA-256 digest"):
        cache.obtain(digest, 1, NAME, never)
    with pytest.raises(FormatError, match="is no SHA-256 digest"):
        cache.remove(digest)


def test_what_others_put_there_does_no_harm(cache: Cache) -> None:
    path = store(cache)
    (cache.directory / "objects" / "README").write_text("not ours")
    # What NFS leaves of a file that is removed while it is open.
    path.with_name(".nfs0001").write_bytes(DATA)
    assert [entry.name for entry in cache.entries()] == [NAME]
    assert cache.clean() == (1, len(DATA))
    assert cache.find(SHA256, len(DATA)) is None
    assert files(cache) == {"objects/README", f"objects/{SHA256}/.nfs0001"}


def test_a_link_is_not_followed(cache: Cache, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"")
    path = store(cache)
    path.unlink()
    path.symlink_to(elsewhere)
    with pytest.raises(OutputError, match="cannot use the cache"):
        cache.find(SHA256, len(DATA))
    assert elsewhere.exists()


def fill_with_all(cache: Cache) -> None:
    """Put one of each kind into a cache; all were last used at OLD, but the object ``new``."""
    begin(cache, b"begun")
    cache.put_document("key", Document(b"data", {}))
    store(cache, b"old one", "old")
    for path in cache.directory.rglob("*"):
        set_used(path, OLD)
    store(cache, b"new", "new")
    cache.note_newest("key", NEW)


def test_entries_are_the_largest_first(cache: Cache) -> None:
    for data in (b"22", b"333", b"1", b"a2"):
        store(cache, data, data.decode())
    assert [entry.name for entry in cache.entries()] == ["333", "22", "a2", "1"]
    [entry] = [entry for entry in cache.entries() if entry.name == "333"]
    assert (entry.size, entry.sha256) == (3, hashlib.sha256(b"333").hexdigest())
    assert entry.used.tzinfo is UTC


def test_clean_removes_all_but_the_dates(cache: Cache) -> None:
    fill_with_all(cache)
    size = sum(entry.size for entry in (*cache.entries(), *cache.partials(), *cache.documents()))
    assert cache.clean() == (4, size)
    [left] = files(cache)
    assert left.startswith("newest/")
    assert list((cache.directory / "objects").iterdir()) == []
    assert cache.clean() == (0, 0)


def test_clean_what_was_not_used_since(cache: Cache) -> None:
    fill_with_all(cache)
    assert cache.clean(unused_since=OLD) == (0, 0)
    files, _ = cache.clean(unused_since=OLD + timedelta(seconds=1))
    assert files == 3
    assert [entry.name for entry in cache.entries()] == ["new"]
    assert (cache.partials(), cache.documents()) == ([], [])


def test_clean_takes_what_a_killed_process_left(cache: Cache) -> None:
    store(cache)
    for name in ("new", f"locks/{SHA256}"):
        (cache.directory / name).write_bytes(b"")
    (cache.directory / "objects" / ("0" * 64)).mkdir()
    cache.clean()
    assert files(cache) == set()
    assert list((cache.directory / "objects").iterdir()) == []
