"""Module metadata against modinfo, and symbols against an independent ELF reader."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Final

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.enums import ENUM_E_MACHINE
from elftools.elf.sections import SymbolTableSection

from rdcompose.formats.compression import decompress
from rdcompose.formats.elf import read_module
from tests.support.kernels import unpacked
from tests.support.tools import run, tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.reference

KERNELS: Final = (
    ("bookworm", "amd64", "linux-image-cloud-amd64"),
    ("trixie", "amd64", "linux-image-cloud-amd64"),
    ("trixie", "arm64", "linux-image-arm64"),
)


@pytest.fixture(scope="module", params=KERNELS, ids=lambda kernel: f"{kernel[0]}-{kernel[1]}")
def modules(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Some plain module files of a kernel."""
    package = unpacked(*request.param)
    every = sorted([*package.rglob("*.ko"), *package.rglob("*.ko.xz")])
    directory = tmp_path_factory.mktemp("modules")
    chosen: list[Path] = []
    for path in every[:: len(every) // 40]:
        plain = directory / path.name.removesuffix(".xz")
        data = path.read_bytes()
        plain.write_bytes(decompress(data, limit=1 << 28) if path.suffix == ".xz" else data)
        chosen.append(plain)
    return chosen


# What modinfo adds to the fields: the file's name, and what it finds in the signature.
ADDED: Final = {"sig_id", "signer", "sig_key", "sig_hashalgo", "signature"}


def test_fields(modules: list[Path]) -> None:
    for path in modules:
        elf = read_module(path.read_bytes())
        fields = run(tool("modinfo"), "-0", path).split("\0")
        # Parameters, which modinfo puts together, and the file's name have another form.
        theirs = {field.partition("=")[0] for field in fields if re.match(r"\w+=", field)}
        assert elf.signed == ("sig_id" in theirs)
        keys = {key for key, _ in elf.modinfo} - {"parm", "parmtype"}
        assert theirs - ADDED == keys
        for key in keys:
            values = run(tool("modinfo"), "-0", "-F", key, path).split("\0")[:-1]
            assert values == list(elf.values(key)), (path.name, key)


def test_symbols(modules: list[Path]) -> None:
    for path in modules[::4]:
        data = path.read_bytes()
        elf = read_module(data)
        other = ELFFile(io.BytesIO(data))
        table = other.get_section_by_name(".symtab")
        assert isinstance(table, SymbolTableSection)
        symbols = list(table.iter_symbols())[1:]
        undefined = [symbol.name for symbol in symbols if symbol["st_shndx"] == "SHN_UNDEF"]
        exported = [
            symbol.name.removeprefix("__ksymtab_")
            for symbol in symbols
            if symbol.name.startswith("__ksymtab_")
        ]
        assert list(elf.imports[: len(undefined)]) == undefined
        assert set(elf.imports[len(undefined) :]) <= {"module_layout"}
        assert sorted(elf.exports) == sorted(exported)
        assert elf.bits == other.elfclass
        assert elf.machine == ENUM_E_MACHINE[other.header["e_machine"]]
