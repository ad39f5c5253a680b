"""Writes a squashfs 4.0 image from a tree.

The image is read by Linux since 2.6.29 (xz since 2.6.38, lz4 since 3.19, zstd since 4.14)
and by every squashfs tool. It is a function of the arguments alone: neither the number of
threads nor their timing changes a byte.

What is chosen on purpose:

- Equal contents are stored once, but there are no hard links: a tree has none, so every
  file is an inode of its own, with a link count of 1.
- There is an export table, 8 bytes an inode before compression: with it the kernel can
  make file handles, which overlayfs asks its lower layers for.
- Extended attributes, owners and times of single files are there where they are asked for.
- Blocks that are all zeros are holes and take no space.

References:
- squashfs-tools-ng, ``doc/format.adoc``
- Linux, ``fs/squashfs/super.c``: the tables must follow each other in the order used here,
  the second level of the last one ending exactly at ``bytes_used``.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Final

from rdcompose.errors import SpecError
from rdcompose.formats.squashfs.blocks import BlockMaker
from rdcompose.formats.squashfs.compressors import compress_function, find, identity
from rdcompose.formats.squashfs.data import DataWriter
from rdcompose.formats.squashfs.layout import arrange
from rdcompose.formats.squashfs.metadata import lookup_table, stored_block
from rdcompose.formats.squashfs.store import KnownBlocks
from rdcompose.formats.squashfs.superblock import (
    MAX_BLOCK_SIZE,
    MIN_BLOCK_SIZE,
    SUPERBLOCK,
    Flag,
    Superblock,
)
from rdcompose.formats.squashfs.tables import MAX_TIME, Details, TreeTables
from rdcompose.tree import File

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rdcompose.formats.squashfs.compressors import Compress
    from rdcompose.formats.squashfs.data import Output
    from rdcompose.formats.squashfs.fragments import FragmentTable
    from rdcompose.formats.squashfs.inodes import FileData
    from rdcompose.formats.squashfs.store import BlockStore
    from rdcompose.tree import Entry

# With zstd's default level, kernel modules come out as small as with 256 KiB and level 9, in
# two thirds of the time. With 1 MiB they are 2 % smaller still, but whoever reads one small
# module unpacks a whole block, which an emulated machine does slowly.
DEFAULT_BLOCK_SIZE: Final = 512 * 1024
# Block devices are read by the page: an image that ends within one cannot be mounted there.
_PADDING: Final = 4096


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SquashfsResult:
    """What was written.

    ``size`` is the length of the image, ``used`` the same without the padding at its end.
    ``inodes`` counts the root too, ``blocks`` data blocks and fragment blocks.
    ``duplicates`` files of the ``files`` had a content that was there already;
    ``content_size`` is the sum of all files as a reader sees them.
    """

    size: int
    used: int
    inodes: int
    files: int
    duplicates: int
    content_size: int
    blocks: int
    fragments: int


def write_squashfs(
    out: Output,
    tree: Iterable[Entry],
    *,
    mtime: int,
    compressor: str = "zstd",
    level: int | None = None,
    block_size: int = DEFAULT_BLOCK_SIZE,
    threads: int = 2,
    details: Details | None = None,
    left_out: Mapping[str, int] | None = None,
    blocks: BlockStore | None = None,
) -> SquashfsResult:
    """Write an image of the tree to ``out``, from offset 0 on, and leave it open.

    The entries come in the order of :class:`~rdcompose.tree.Tree`. Everything is written in
    sequence, only the superblock at the end; the position is then the end of the image.
    ``mtime`` is the time of the image and of everything in it, unless ``details`` say
    otherwise. Contents are read from several
    threads, and once only, unless there is another of the same size; no more than a few
    blocks a thread are in memory.

    ``left_out`` has the sizes, by path, of files that are not in the tree but are in others
    of its kind: each keeps its room in the block of small files that it would be in, so that
    the blocks without any of them are the same in all these images. ``blocks`` keeps what was
    compressed, for other images and later runs; the bytes of the image do not depend on it.

    :raises SpecError: an argument or an entry is none that squashfs can hold.
    :raises FormatError: a content is not as long as its size.
    :raises UnsupportedError: the Python package of the compressor is missing.
    """
    _check_arguments(mtime, block_size, threads)
    kind = find(compressor)
    compress = compress_function(compressor, level, block_size)
    folders = arrange(tree)
    files = [m.entry for folder in folders for m in folder.members if isinstance(m.entry, File)]
    options = stored_block(kind.options) if kind.options else b""
    out.seek(0)
    out.write(bytes(SUPERBLOCK.size) + options)

    start = SUPERBLOCK.size + len(options)
    known = None if blocks is None else KnownBlocks(blocks, identity(compressor, level, block_size))
    maker = BlockMaker(compress, block_size, known)
    data, places = _write_data(
        out, files, left_out or {}, maker, start=start, block_size=block_size, threads=threads
    )
    tables = TreeTables(compress, places, details or Details(), mtime=mtime)
    root = tables.write(folders)
    packed = _pack_tables(data.position, tables, data.fragments, compress)
    size = -(-packed.end // _PADDING) * _PADDING
    out.write(packed.data + bytes(size - packed.end))

    superblock = Superblock(
        inodes=tables.count,
        mtime=mtime,
        block_size=block_size,
        fragments=len(data.fragments),
        compressor=kind.number,
        flags=_flags(tables, options),
        ids=len(tables.ids),
        root=root,
        bytes_used=packed.end,
        id_table=packed.ids,
        inode_table=data.position,
        directory_table=packed.directories,
        fragment_table=packed.fragments,
        export_table=packed.exports,
        xattr_table=packed.xattrs,
    )
    out.seek(0)
    out.write(superblock.pack())
    out.seek(size)
    return SquashfsResult(
        size=size,
        used=packed.end,
        inodes=tables.count,
        files=len(files),
        duplicates=data.duplicates,
        content_size=sum(file.content.size for file in files),
        blocks=data.blocks,
        fragments=len(data.fragments),
    )


def _flags(tables: TreeTables, options: bytes) -> Flag:
    flags = Flag.DUPLICATES | Flag.EXPORTABLE
    if not len(tables.xattrs):
        flags |= Flag.NO_XATTRS
    return flags | Flag.COMPRESSOR_OPTIONS if options else flags


def _check_arguments(mtime: int, block_size: int, threads: int) -> None:
    if not 0 <= mtime <= MAX_TIME:
        raise SpecError(f"squashfs cannot hold the time {mtime}: it has 32 bits")
    power = block_size.bit_count() == 1
    if not (power and MIN_BLOCK_SIZE <= block_size <= MAX_BLOCK_SIZE):
        raise SpecError(
            f"{block_size} is no block size of squashfs",
            hint=f"choose a power of two from {MIN_BLOCK_SIZE} to {MAX_BLOCK_SIZE}",
        )
    if threads < 1:
        raise SpecError(f"squashfs cannot be written by {threads} threads")


def _write_data(
    out: Output,
    files: Sequence[File],
    left_out: Mapping[str, int],
    maker: BlockMaker,
    *,
    start: int,
    block_size: int,
    threads: int,
) -> tuple[DataWriter, dict[str, FileData]]:
    from concurrent.futures import ThreadPoolExecutor

    executor = ThreadPoolExecutor(threads, thread_name_prefix="squashfs")
    try:
        writer = DataWriter(
            out, executor, maker, start=start, block_size=block_size, threads=threads
        )
        places = writer.write(files, left_out)
    finally:
        # After an error, or an interrupt, what has not begun is not worth waiting for.
        executor.shutdown(cancel_futures=True)
    return writer, {file.path: place for file, place in zip(files, places, strict=True)}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """All tables behind the data, and where each is in the image."""

    data: bytes
    end: int
    directories: int
    fragments: int
    exports: int
    ids: int
    xattrs: int


def _pack_tables(
    start: int, tables: TreeTables, fragments: FragmentTable, compress: Compress
) -> _Packed:
    inodes, listings = tables.finish()
    directory_start = start + len(inodes)
    position = directory_start + len(listings)
    fragment_part, fragment_start = fragments.pack(compress, position)
    position += len(fragment_part)
    export_part, export_start = lookup_table(tables.exports(), compress, position)
    position += len(export_part)
    id_part, id_start = lookup_table(tables.ids.records(), compress, position)
    position += len(id_part)
    xattr_part, xattr_start = tables.xattrs.pack(position)
    parts = [inodes, listings, fragment_part, export_part, id_part, xattr_part]
    return _Packed(
        data=b"".join(parts),
        end=position + len(xattr_part),
        directories=directory_start,
        fragments=fragment_start,
        exports=export_start,
        ids=id_start,
        xattrs=xattr_start,
    )
