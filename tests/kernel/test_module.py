from __future__ import annotations

import pytest

from rdcompose.formats.elf import read_module
from rdcompose.kernel.module import Module, has_matched_brackets, modname, normalize_alias
from rdcompose.tree import Bytes
from tests.support.modules import make_ko


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("kernel/net/8021q/8021q.ko", "8021q"),
        ("kernel/sound/snd-hda-intel.ko.xz", "snd_hda_intel"),
        ("aesni-intel", "aesni_intel"),
        ("aesni_intel", "aesni_intel"),
        ("a.b.ko", "a"),
        ("my-dir/x.ko", "x"),
    ],
)
def test_modname(path: str, name: str) -> None:
    assert modname(path) == name


@pytest.mark.parametrize(
    ("alias", "normal"),
    [
        ("virtio-blk", "virtio_blk"),
        ("usb:v13FDp3940d0[0-2]*dc-*", "usb:v13FDp3940d0[0-2]*dc_*"),
        ("[a-b]-[c-d]-", "[a-b]_[c-d]_"),
        ("fs-ext4", "fs_ext4"),
        ("", ""),
    ],
)
def test_normalize_alias(alias: str, normal: str) -> None:
    assert normalize_alias(alias) == normal
    assert has_matched_brackets(alias)


@pytest.mark.parametrize("alias", ["a[b", "a]b", "[a]]", "[", "]", "[a][", "]a["])
def test_unmatched_brackets(alias: str) -> None:
    assert not has_matched_brackets(alias)


@pytest.mark.parametrize("alias", ["[[a]", "[]", "x[a]y[b]"])
def test_matched_brackets(alias: str) -> None:
    assert has_matched_brackets(alias)


def test_a_module_is_named_by_its_path() -> None:
    module = Module(
        path="kernel/fs/nls/nls-utf8.ko", elf=read_module(make_ko(["a=b"])), content=Bytes(b"")
    )
    assert module.name == "nls_utf8"
