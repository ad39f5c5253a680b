"""A kernel that is installed below a root, or was staged there.

A root is ``/``, the root directory of another system, or what ``make install``,
``modules_install`` and ``dtbs_install`` filled with ``INSTALL_PATH`` and ``INSTALL_MOD_PATH``:
kernel and configuration in ``boot/`` or the directory itself, modules below ``lib/modules`` or
``usr/lib/modules``. Links are followed as they lead inside that root, so that the links of
another system do not lead to this one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, NamedTuple

from rdcompose.errors import FormatError, SpecError, UnsupportedError
from rdcompose.formats.deb import Kind, Member
from rdcompose.formats.image import read_image
from rdcompose.kernel.directory import files_below, module_files
from rdcompose.kernel.layout import (
    BOOT,
    CONFIG_NAME,
    IMAGE_NAMES,
    MODULE_ROOTS,
    Part,
    Place,
    place,
)
from rdcompose.kernel.moduletree import INDEX_FILES, MAX_MODULE, SHIPPED_FILES
from rdcompose.kernel.release import check_release, is_release
from rdcompose.tree import encode_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

# As many as the kernel follows (MAXSYMLINKS).
_MAX_LINKS: Final = 40
_MODULES: Final = MODULE_ROOTS[0]
_KERNEL_HINT: Final = (
    "wanted is a root with boot/vmlinuz-RELEASE (or vmlinuz-RELEASE itself) and lib/modules/RELEASE"
)


# Below a root, those of "make dtbs_install" last.
_DEVICE_TREES: Final = (
    "usr/lib/linux-image-{}",
    "lib/firmware/{}/device-tree",
    "usr/lib/firmware/{}/device-tree",
    "usr/lib/modules/{}/dtb",
    "lib/modules/{}/dtb",
    "boot/dtbs/{}",
    "dtbs/{}",
)


class _Image(NamedTuple):
    """A kernel: the path that it has in a package, what that means, and the file."""

    path: str
    place: Place
    file: Path


class TreeSource:
    """One kernel below a root, as a source of its files.

    Their paths are those of Debian 12's packages, wherever they lie: ``boot/vmlinuz-R``,
    ``boot/config-R``, ``lib/modules/R``, ``usr/lib/linux-image-R``.
    """

    control: Final = None

    def __init__(
        self,
        root: Path,
        release: str | None = None,
        *,
        device_trees: Callable[[str], bool] | None = None,
    ) -> None:
        """Find the kernel of ``release``, or the only one there is.

        ``device_trees`` says which device trees count, by their paths below the directory of
        them.

        :raises SpecError: there is none or several, or the root cannot be read.
        """
        self.name: Final = "the tree"
        self.position = 0
        self._root = root
        self._lines: dict[str, str] = {}
        try:
            image = self._choose(self._images(), release)
            self._files = self._list(image)
            if device_trees is not None:
                self._files |= self._device_trees(image, device_trees)
            self.size = sum(file.stat().st_size for file in self._files.values())
        except OSError as error:
            raise _cannot_read(error) from error

    def _choose(self, images: list[_Image], release: str | None) -> _Image:
        """Return the kernel to take, and set the release that is its."""
        if release is None and not any(image.place.release for image in images):
            images = [_with_release(image) for image in images]
        found = sorted({image.place.release for image in images if image.place.release})
        if release is None:
            if len(found) > 1:
                raise SpecError(
                    f"{self.name} holds several kernels: {', '.join(found)}",
                    hint="choose one with --release",
                )
            release = found[0] if found else ""
        named = [image for image in images if image.place.release == release]
        if not named:
            named = [image for image in images if not image.place.release]
            named = [image for image in map(_with_release, named) if image.place.release == release]
        if not named:
            raise self._no_kernel(release, found)
        self.release = check_release(release)
        return named[0]

    def _no_kernel(self, release: str, found: list[str]) -> SpecError:
        what = f"no kernel {release}" if release else "no kernel"
        hint = f"there is {', '.join(found)}" if found else _KERNEL_HINT
        return SpecError(f"{self.name} holds {what}", hint=hint)

    def _images(self) -> list[_Image]:
        """Return the kernels that are there, of each release the best first."""
        found = [
            _Image(path, where, file)
            for path, file in self._candidates()
            if (where := place(path)) is not None and where.part is Part.IMAGE
        ]
        return sorted(found, key=lambda image: IMAGE_NAMES.index(image.place.name))

    def _candidates(self) -> Iterator[tuple[str, Path]]:
        """Yield what may be a kernel, by the path that it would have in a package."""
        for directory in (BOOT, f"{BOOT}firmware/", ""):
            inside = self._inside(directory)
            for name in _names(inside):
                path = f"{BOOT}{directory.removeprefix(BOOT)}{name}"
                # "/vmlinuz" and "boot/vmlinuz" of a system are links to one of its kernels.
                named = (where := place(path)) is not None and where.release
                file = self._inside(directory + name) if named else inside / name
                if stat.S_ISREG(_mode(file)):
                    yield path, file
        for root in MODULE_ROOTS:
            for release in filter(is_release, _names(self._inside(root))):
                for name in IMAGE_NAMES:
                    file = self._inside(f"{root}{release}/{name}")
                    if stat.S_ISREG(_mode(file)):
                        yield f"{_MODULES}{release}/{name}", file

    def _list(self, image: _Image) -> dict[str, Path]:
        """Return the files of the kernel by their paths in a package, the kernel first."""
        files = {image.path: image.file}
        release = self.release
        for path in (
            f"{BOOT}{CONFIG_NAME}-{release}",
            f"{CONFIG_NAME}-{release}",
            *(f"{root}{release}/{CONFIG_NAME}" for root in MODULE_ROOTS),
        ):
            file = self._inside(path)
            if stat.S_ISREG(_mode(file)):
                files[f"{BOOT}{CONFIG_NAME}-{release}"] = file
                break
        for root in MODULE_ROOTS:
            directory = self._inside(root + release)
            if stat.S_ISDIR(_mode(directory)):
                found = module_files(directory, SHIPPED_FILES | INDEX_FILES)
                files |= {f"{_MODULES}{release}/{inner}": file for inner, file in found}
                break
        return files

    def _device_trees(self, image: _Image, wanted: Callable[[str], bool]) -> dict[str, Path]:
        """Return device trees and overlays by the paths that Debian's packages have for them."""
        own = _DEVICE_TREES[0].format(self.release)
        for where in _DEVICE_TREES:
            directory = self._inside(where.format(self.release))
            if stat.S_ISDIR(_mode(directory)):
                found = {f"{own}/{inner}": file for inner, file in files_below(directory, wanted)}
                if found:
                    return found
        named = place(image.path)
        if named is None or named.release:
            return {}

        def beside(inner: str) -> bool:
            found = place(BOOT + inner)
            return found is not None and found.part is Part.DEVICE_TREES and wanted(inner)

        return {f"{own}/{inner}": file for inner, file in files_below(image.file.parent, beside)}

    def _inside(self, path: str) -> Path:
        """Return where a path below the root leads, with links as after chroot(2)."""
        todo = [part for part in reversed(path.split("/")) if part]
        done: list[str] = []
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                del done[-1:]
                continue
            here = self._root.joinpath(*done, name)
            if not here.is_symlink():
                done.append(name)
                continue
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(here))
            target = str(here.readlink())
            if target.startswith("/"):
                done = []
            todo += [part for part in reversed(target.split("/")) if part not in {"", "."}]
        return self._root.joinpath(*done)

    def members(self, wanted: Callable[[str], bool]) -> Iterator[Member]:
        """Yield the files of the kernel, the kernel itself first.

        :raises SpecError: one cannot be read.
        :raises FormatError: one is too large to be what it is named as.
        """
        for path, file in self._files.items():
            if not wanted(path):
                continue
            try:
                status = file.stat()
                if status.st_size > MAX_MODULE:
                    raise FormatError(f"{file} is too large to be part of a kernel")
                content = file.read_bytes()
            except OSError as error:
                raise _cannot_read(error) from error
            self.position += len(content)
            self._lines[path] = hashlib.sha256(content).hexdigest()
            yield Member(
                path=path,
                kind=Kind.FILE,
                mode=stat.S_IMODE(status.st_mode),
                size=len(content),
                mtime=max(int(status.st_mtime), 0),
                content=content,
            )

    def sha256(self) -> str:
        """Return one digest of all files that were read: of their lines as sha256sum has them.

        The lines are in byte order of the paths.
        """
        return _digest_of_lines(self._lines)

    def sketch(self) -> str:
        """Return a digest of the files' paths, sizes and times: other files have another one.

        :raises SpecError: one cannot be read.
        """
        rows = {}
        try:
            for path, file in self._files.items():
                status = file.stat()
                rows[path] = f"{status.st_size} {max(int(status.st_mtime), 0)}"
        except OSError as error:
            raise _cannot_read(error) from error
        return _digest_of_lines(rows)

    def read_digest(self, threads: int) -> str:
        """Return :meth:`sha256` of all files there are, by reading them for nothing else.

        :raises SpecError: one cannot be read.
        """
        try:
            with ThreadPoolExecutor(threads) as pool:
                found = list(pool.map(_file_digest, self._files.values()))
        except OSError as error:
            raise _cannot_read(error) from error
        return _digest_of_lines(dict(zip(self._files, found, strict=True)))


def _file_digest(file: Path) -> str:
    with file.open("rb", buffering=0) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest_of_lines(rows: Mapping[str, str]) -> str:
    """Return the digest of rows by their paths, which are in byte order."""
    lines = [f"{rows[path]}  {path}\n" for path in sorted(rows, key=encode_name)]
    return hashlib.sha256(b"".join(map(encode_name, lines))).hexdigest()


def _with_release(image: _Image) -> _Image:
    """Return a kernel with the release that only it itself tells."""
    data = image.file.read_bytes()
    try:
        release = read_image(data).release
    except (FormatError, UnsupportedError) as error:
        where = f"the kernel {image.path}"
        raise type(error)(f"{where}: {error.message}", hint=error.hint) from error
    return image._replace(place=image.place._replace(release=release or ""))


def _names(directory: Path) -> Iterable[str]:
    try:
        return sorted((file.name for file in directory.iterdir()), key=encode_name)
    except (FileNotFoundError, NotADirectoryError):
        return ()


def _mode(file: Path) -> int:
    """Return the mode of a file, links not followed; 0 where there is none."""
    try:
        return file.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0


def _cannot_read(error: OSError) -> SpecError:
    hint = None
    if isinstance(error, PermissionError):
        hint = "run this as root"
        if str(error.filename).rpartition("/")[2].startswith(IMAGE_NAMES):
            hint = (
                "Ubuntu, for one, keeps its kernels for root alone: run this as root, or let it be "
                f"read, with `sudo chmod 0644 {error.filename}`"
            )
    return SpecError(f"cannot read {error.filename}: {error.strerror}", hint=hint)
