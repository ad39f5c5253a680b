from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from rdcompose.archive.cache import Cache, Document
from tests.support.cache_worker import NEW, OLD
from tests.support.caches import files, set_used

if TYPE_CHECKING:
    import pytest


def test_documents_are_kept_with_what_is_known_of_them(cache: Cache) -> None:
    keys = ["http://a/dists/x/InRelease", "http://a/dists/x/InRelease2", "a\nb\0", "\udcff", ""]
    for number, key in enumerate(keys):
        cache.put_document(key, Document(b"\0\n" * number, {"etag": f'"{number}"\n'}))
    for number, key in enumerate(keys):
        assert cache.document(key) == Document(b"\0\n" * number, {"etag": f'"{number}"\n'})
    assert {entry.name for entry in cache.documents()} == set(keys)
    assert cache.document("other") is None


def test_a_document_replaces_the_earlier_one(cache: Cache) -> None:
    cache.put_document("key", Document(b"long" * 100, {"etag": "1"}))
    cache.put_document("key", Document(b"short", {}))
    assert cache.document("key") == Document(b"short", {})
    assert len(files(cache)) == 1


def test_a_damaged_document_is_none(cache: Cache) -> None:
    cache.put_document("key", Document(b"data", {"etag": "1"}))
    [name] = files(cache)
    path = cache.directory / name
    good = path.read_bytes()
    for position in range(len(good)):
        for bad in (
            good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :],
            good[:position],
        ):
            path.write_bytes(bad)
            assert cache.document("key") is None
    assert [(entry.name, entry.size) for entry in cache.documents()] == [("", len(good) - 1)]
    path.write_bytes(good)
    assert cache.document("key") == Document(b"data", {"etag": "1"})


def test_what_is_under_the_name_of_another_is_none(cache: Cache) -> None:
    cache.put_document("key", Document(b"data", {}))
    cache.note_newest("key", NEW)
    for name in files(cache):
        path = cache.directory / name
        path.rename(path.with_name(hashlib.sha256(b"other").hexdigest()))
    assert cache.document("other") is None
    assert cache.newest("other") is None


def test_reading_a_document_is_use(cache: Cache) -> None:
    cache.put_document("key", Document(b"data", {}))
    [name] = files(cache)
    set_used(cache.directory / name, OLD)
    assert [entry.used for entry in cache.documents()] == [OLD]
    cache.document("key")
    assert [entry.used > NEW for entry in cache.documents()] == [True]


def test_the_newest_date_only_grows(cache: Cache) -> None:
    assert cache.newest("key") is None
    cache.note_newest("key", NEW)
    cache.note_newest("key", OLD)
    assert cache.newest("key") == NEW
    cache.note_newest("key", NEW + timedelta(microseconds=1))
    assert cache.newest("key") == NEW + timedelta(microseconds=1)
    assert cache.newest("other") is None


def test_a_later_date_of_another_process_stays(
    cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    between = NEW - timedelta(days=1)
    real = cache._files.changing

    def changing() -> object:
        # Another process comes between the look at what is known and the lock.
        monkeypatch.undo()
        Cache(cache.directory).note_newest("key", NEW)
        return real()

    monkeypatch.setattr(type(cache._files), "changing", lambda _self: changing())
    cache.note_newest("key", between)
    assert cache.newest("key") == NEW


def test_the_newest_date_survives_cleaning(cache: Cache) -> None:
    cache.note_newest("key", NEW)
    assert cache.clean() == (0, 0)
    assert Cache(cache.directory).newest("key") == NEW


def test_a_damaged_date_is_none(cache: Cache) -> None:
    cache.note_newest("key", NEW)
    [name] = files(cache)
    (cache.directory / name).write_bytes(b"2026")
    assert cache.newest("key") is None
    cache.note_newest("key", OLD)
    assert cache.newest("key") == OLD
