"""Many builds in one call: time and memory as they grow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.measure import RunError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.cases import Bench
    from bench.results import Row, Section


def growth(_bench: Bench) -> list[Row]:
    """Several builds."""
    raise RunError("not yet")


def further(_sections: Mapping[str, Section]) -> float | None:
    """Return the seconds that each further profile of a kernel takes."""
    return None


def charts(_section: Section) -> dict[str, str]:
    """Return the curves."""
    return {}
