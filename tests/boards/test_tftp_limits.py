"""Sizes that boot loaders can fetch."""

from __future__ import annotations

import pytest

from rdcompose.boards.tftp_limits import LIMITS, limit_passed, size_problem


def test_a_file_that_every_boot_loader_fetches_has_no_problem() -> None:
    assert size_problem("initramfs8", 67_107_839) is None


@pytest.mark.parametrize(
    ("size", "before", "most"),
    [
        (67_107_840, "2022-10-03", 67_107_839),
        (96_205_379, "2022-10-03", 67_107_839),
        (96_205_380, "2025-09-23", 96_205_379),
        (200_000_000, "2025-09-23", 96_205_379),
    ],
)
def test_a_bigger_one_names_the_boot_loaders_that_are_too_old(
    size: int, before: str, most: int
) -> None:
    problem = size_problem("R/initramfs8", size)
    assert problem == (
        f"R/initramfs8 has {size} bytes: boot loaders from before {before} fetch at most "
        f"{most} bytes by TFTP"
    )


def test_a_full_last_block_needs_one_more() -> None:
    for limit in LIMITS:
        assert limit.size % limit.block == limit.block - 1
        assert limit_passed(limit.size) is not limit
        assert limit_passed(limit.size + 1) is limit


def test_config_txt_counts_up_to_four_kibibytes() -> None:
    assert size_problem("config.txt", 4096) is None
    problem = size_problem("config.txt", 4097)
    assert problem is not None
    assert "only the first 4096 count" in problem
    assert size_problem("1234abcd/config.txt", 4097) is not None
    assert size_problem("config.txt.bak", 4097) is None
