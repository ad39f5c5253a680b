"""A Debian archive in a directory, signed with a key of the tests.

    archive = SimulatedArchive(tmp_path / "debian", key)
    suite = archive.suite("bookworm", suite="oldstable")
    suite.add(kernel_package("6.1.0-44-cloud-amd64", "6.1.164-1"))
    suite.add(metapackage("linux-image-cloud-amd64", "6.1.164-1", "amd64", "linux-image-…"))
    suite.write()
    security = SimulatedArchive(tmp_path / "debian-security", key)
    security.security_suite("bookworm", suite="oldstable").write()

What a suite is may be changed between two calls of ``write``, to a later date or back to an
earlier one: ``suite.date = …``, ``suite.key = other``, ``suite.fields["Codename"] = "sid"``,
``suite.tamper("main/binary-amd64/Packages.xz", lambda data: data[:100])``.

Layout: the Debian wiki's page "DebianRepository/Format" and what dak makes of it, which is
also on real mirrors: the plain ``Packages`` is listed and not stored, packages for all
architectures are listed with each, ``Suite`` is a link beside ``Codename``. The same calls
give the same bytes, apart from what the key makes of them.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import gzip
import hashlib
import io
import lzma
import os
from typing import TYPE_CHECKING, Final

from rdcompose.formats.deb import Deb

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.support.signing import SigningKey

    # What becomes of a file; without a result it is not there.
    Change = Callable[[bytes], bytes | None]

# The day of Debian 12.5.
DATE: Final = datetime.datetime(2024, 2, 10, 11, 7, 25, tzinfo=datetime.UTC)
ARCHITECTURES: Final = ("amd64", "arm64")

_COMPRESSORS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "": lambda data: data,
    ".gz": lambda data: gzip.compress(data, 9, mtime=0),
    ".xz": lzma.compress,
}
_BOMB_PIECE: Final = 1 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class PoolFile:
    """A package in the pool; ``filename`` is where it really is, whatever its stanza says."""

    path: Path
    filename: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Listed:
    name: str
    version: str
    architecture: str
    component: str
    stanza: str
    file: PoolFile


class SimulatedArchive:
    """An archive: a pool and suites. Without a key they are not signed."""

    def __init__(self, directory: Path, key: SigningKey | None) -> None:
        self.directory = directory
        self.key = key

    def suite(
        self,
        codename: str,
        *,
        suite: str = "",
        label: str = "Debian",
        origin: str = "Debian",
        components: Sequence[str] = ("main",),
        date: datetime.datetime = DATE,
        valid_until: datetime.datetime | None = None,
        by_hash: bool = True,
        architectures: Sequence[str] = ARCHITECTURES,
        stored: Sequence[str] = (".gz", ".xz"),
    ) -> SuiteBuilder:
        """Return a suite without packages, yet to be written.

        ``suite`` is by default the codename. ``stored`` are the forms of ``Packages`` that are
        there, by their suffix; the plain one is listed in any case.
        """
        return SuiteBuilder(
            archive=self,
            codename=codename,
            suite=suite or codename,
            label=label,
            origin=origin,
            components=tuple(components),
            date=date,
            valid_until=valid_until,
            by_hash=by_hash,
            architectures=tuple(architectures),
            stored=tuple(stored),
            key=self.key,
        )

    def security_suite(
        self,
        codename: str,
        *,
        suite: str = "",
        components: Sequence[str] = ("updates/main",),
        date: datetime.datetime = DATE,
        valid_until: datetime.datetime | None = None,
        architectures: Sequence[str] = ARCHITECTURES,
    ) -> SuiteBuilder:
        """Return a suite as the security archive has it, of the release of that codename."""
        return self.suite(
            f"{codename}-security",
            suite=f"{suite or codename}-security",
            label="Debian-Security",
            components=components,
            date=date,
            valid_until=valid_until,
            architectures=architectures,
            stored=(".xz",),
        )

    def store(self, deb: bytes, component: str) -> PoolFile:
        """Put a package into the pool."""
        control = Deb.open(io.BytesIO(deb)).control
        source = control.get("Source", control.package).split()[0]
        prefix = source[: 4 if source.startswith("lib") else 1]
        version = control.version.partition(":")[2] or control.version
        name = f"{control.package}_{version}_{control.architecture}.deb"
        filename = f"pool/{component}/{prefix}/{source}/{name}"
        path = self.directory / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(deb)
        _set_time(path, DATE)
        return PoolFile(path, filename, len(deb), hashlib.sha256(deb).hexdigest())


@dataclasses.dataclass(slots=True, kw_only=True)
class SuiteBuilder:
    """A suite; made by :meth:`SimulatedArchive.suite`.

    Components are as the field of ``Release`` has them; the last word of ``updates/main`` is
    the name of its directory. ``fields`` replaces fields of ``Release``, or removes them.
    """

    archive: SimulatedArchive
    codename: str
    suite: str
    label: str
    origin: str
    components: tuple[str, ...]
    date: datetime.datetime
    valid_until: datetime.datetime | None
    by_hash: bool
    architectures: tuple[str, ...]
    stored: tuple[str, ...]
    key: SigningKey | None
    fields: dict[str, str | None] = dataclasses.field(default_factory=dict)
    _listed: list[_Listed] = dataclasses.field(default_factory=list)
    _changes: dict[tuple[str, bool], Change] = dataclasses.field(default_factory=dict)

    @property
    def directory(self) -> Path:
        """Where the suite's files are."""
        return self.archive.directory / "dists" / self.codename

    @property
    def inrelease(self) -> Path:
        """The signed index."""
        return self.directory / "InRelease"

    def add(
        self,
        deb: Path | bytes,
        component: str = "",
        *,
        overrides: Mapping[str, str | None] | None = None,
    ) -> PoolFile:
        """Put a package into the pool and the suite, by default in its first component.

        ``overrides`` replaces fields of its stanza, or removes them.
        """
        data = deb if isinstance(deb, bytes) else deb.read_bytes()
        component = component or self.components[0]
        file = self.archive.store(data, component)
        control = Deb.open(io.BytesIO(data)).control
        fields: dict[str, str | None] = {
            **dict(control.fields),
            "Filename": file.filename,
            "Size": str(file.size),
            "MD5sum": hashlib.md5(data).hexdigest(),
            "SHA256": file.sha256,
            **(overrides or {}),
        }
        self._listed.append(
            _Listed(
                control.package,
                control.version,
                control.architecture,
                component,
                _stanza(fields),
                file,
            )
        )
        return file

    def remove(self, name: str) -> None:
        """Take all versions of a package out of the suite and out of the pool."""
        for row in self._listed:
            if row.name == name:
                row.file.path.unlink(missing_ok=True)
        self._listed = [row for row in self._listed if row.name != name]

    def tamper(self, path: str, change: Change, *, listed: bool = False) -> None:
        """Change a file of the suite whenever it is written; ``path`` as ``Release`` has it.

        With ``listed`` the signed index has the changed file, and what is compressed of it
        changes too: the archive itself is at fault. Without, only the stored file changes, and
        where the change gives ``None`` there is none.
        """
        self._changes[path, listed] = change

    def write(self) -> None:
        """Write the indexes and the signed index over them."""
        files = dict(self._files())
        for path, data in files.items():
            if path.rpartition("/Packages")[2] in self.stored:
                self._store(path, data)
        release = self._release(files)
        self._put(self.directory / "Release", release)
        if self.key is None:
            self.inrelease.unlink(missing_ok=True)
        else:
            self._put(self.inrelease, self.key.clearsign(release))
        if any("/" in component for component in self.components):
            _link(self.directory / "updates", ".")
        if self.suite != self.codename:
            _link(self.directory.parent / self.suite, self.codename)

    def _files(self) -> Iterator[tuple[str, bytes]]:
        """Yield what the signed index lists: each ``Packages`` in all its forms."""
        for component in self.components:
            for architecture in ("all", *self.architectures):
                path = f"{component.rpartition('/')[2]}/binary-{architecture}/Packages"
                plain = self._changed(path, self._packages(component, architecture))
                yield path, plain
                for suffix in self.stored:
                    if suffix:
                        packed = _COMPRESSORS[suffix](plain)
                        yield path + suffix, self._changed(path + suffix, packed)

    def _changed(self, path: str, data: bytes) -> bytes:
        changed = self._changes.get((path, True), _same)(data)
        assert changed is not None, f"{path} cannot be listed and not be there"
        return changed

    def _packages(self, component: str, architecture: str) -> bytes:
        rows = [
            row
            for row in self._listed
            if row.component == component and row.architecture in {architecture, "all"}
        ]
        rows.sort(key=lambda row: (row.name, row.version, row.architecture))
        return "\n".join(row.stanza for row in rows).encode()

    def _store(self, path: str, data: bytes) -> None:
        changed = self._changes.get((path, False), _same)(data)
        target = self.directory / path
        by_hash = target.parent / "by-hash" / "SHA256" / hashlib.sha256(data).hexdigest()
        for place in (target, by_hash) if self.by_hash else (target,):
            if changed is None:
                place.unlink(missing_ok=True)
            else:
                self._put(place, changed)

    def _put(self, path: Path, data: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        _set_time(path, self.date)

    def _release(self, files: Mapping[str, bytes]) -> bytes:
        fields: dict[str, str | None] = {
            "Origin": self.origin,
            "Label": self.label,
            "Suite": self.suite,
            "Codename": self.codename,
            "Date": _date(self.date),
            "Valid-Until": None if self.valid_until is None else _date(self.valid_until),
            "Acquire-By-Hash": "yes" if self.by_hash else None,
            "No-Support-for-Architecture-all": "Packages",
            "Architectures": " ".join(["all", *self.architectures]),
            "Components": " ".join(self.components),
            "Description": "An archive of the tests",
            **self.fields,
        }
        text = _stanza(fields)
        for name, algorithm in (("MD5Sum", hashlib.md5), ("SHA256", hashlib.sha256)):
            text += f"{name}:\n"
            for path, data in sorted(files.items()):
                text += f" {algorithm(data).hexdigest()} {len(data):8} {path}\n"
        return text.encode()


@functools.cache
def bomb(suffix: str, size: int) -> bytes:
    """Return so many zero bytes (rounded up to MiB), compressed; ``.gz`` or ``.xz``.

    For :meth:`SuiteBuilder.tamper`: ``lambda _: bomb(".xz", 1 << 30)``.
    """
    pieces = -(-size // _BOMB_PIECE)
    # Both formats may be several streams one after the other.
    return _COMPRESSORS[suffix](bytes(_BOMB_PIECE)) * pieces


def _same(data: bytes) -> bytes | None:
    return data


def _stanza(fields: Mapping[str, str | None]) -> str:
    """Return fields as text; those without a value are left out."""
    return "".join(
        "{}: {}\n".format(name, value.replace("\n", "\n "))
        for name, value in fields.items()
        if value is not None
    )


def _date(moment: datetime.datetime) -> str:
    return f"{moment.astimezone(datetime.UTC):%a, %d %b %Y %H:%M:%S} UTC"


def _set_time(path: Path, moment: datetime.datetime) -> None:
    # Mirrors keep the times of the archive, and they are what Last-Modified says.
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
