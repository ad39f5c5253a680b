"""Every format has tests of its own and a comparison with a program that others wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parent
FORMATS: Final = TESTS.parent / "rdcompose" / "formats"
NAMES: Final = sorted(
    path.stem
    for path in FORMATS.iterdir()
    if (path.is_dir() and (path / "__init__.py").exists())
    or (path.suffix == ".py" and path.stem != "__init__")
)
# No comparison of their own, and why not.
NOT_COMPARED: Final = {
    "bytestream": "no format: bytes in pieces",
    "decoding": "decodes for deb, with the standard library; test_deb compares all compressors",
    "elf_notes": "test_vmlinux compares the notes of real kernels with what readelf shows",
    "first_stream": "test_segments compares joined streams of every compressor",
    "lz4_legacy": "test_compression compares the lz4 program's",
    "newc": "test_cpio compares archives",
    "newc_links": "test_segments compares hard links",
    "window": "a part of a file, without a format of its own",
    "pe": "test_uki compares whole EFI programs with ukify's, objdump, objcopy and pefile",
}


def files_of(name: str, folder: str) -> list[Path]:
    """Test files of a format; a big one may have several: test_NAME_PART.py."""
    directory = TESTS / folder
    own = directory / f"test_{name}.py"
    return [*directory.glob(f"test_{name}_*.py"), *([own] if own.exists() else [])]


@pytest.mark.parametrize("name", NAMES)
def test_format_has_tests(name: str) -> None:
    assert files_of(name, "formats")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NOT_COMPARED])
def test_format_is_compared(name: str) -> None:
    assert files_of(name, "reference")


def test_exceptions_are_formats() -> None:
    assert NOT_COMPARED.keys() <= set(NAMES)
