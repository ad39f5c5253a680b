from __future__ import annotations

import dataclasses
import gzip
from typing import TYPE_CHECKING, Final

import pytest

from rdcompose.formats.image import read_image
from rdcompose.inspect.kernel import exported_versions
from tests.support.images import make_bzimage
from tests.support.ksymtab import make_ksymtab

if TYPE_CHECKING:
    from collections.abc import Mapping

SYMBOLS: Final = {f"plain_{n}": 1000 + n for n in range(20)} | {"module_layout": 7}


def kernel(symbols: Mapping[str, int]) -> bytes:
    return make_bzimage(payload=gzip.compress(make_ksymtab(symbols, {})))


def test_inside_of_what_unpacks_itself() -> None:
    data = kernel(SYMBOLS)
    assert exported_versions(data, read_image(data)) == SYMBOLS


@pytest.mark.parametrize(
    "data",
    [make_bzimage(), kernel(dict.fromkeys(SYMBOLS, 0)), make_bzimage(payload=b"\x1f\x8b\x08")],
)
def test_kernels_that_do_not_tell(data: bytes) -> None:
    assert exported_versions(data, read_image(data)) == {}


def test_a_machine_that_is_not_known() -> None:
    data = kernel(SYMBOLS)
    image = dataclasses.replace(read_image(data), bits=None)
    assert exported_versions(data, image) == {}
