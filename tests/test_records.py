"""Our data classes are the standard library's in all that is used of them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdcompose import records

if TYPE_CHECKING:
    from collections.abc import Callable


@records.dataclass(frozen=True, slots=True)
class Point:
    """Positional fields, compared in order."""

    x: int
    y: int = 0

    @property
    def total(self) -> int:
        """What a method sees."""
        return self.x + self.y


@records.dataclass(frozen=True, slots=True)
class Named(Point):
    """A class below another, whose new fields come last."""

    name: str = "a"


@records.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Every form that a field can have."""

    needed: int
    default: str | None = None
    made: list[int] = records.field(default_factory=list)
    secret: str = records.field(default="s", repr=False)
    note: str = records.field(default="", compare=False)
    unhashed: list[int] = records.field(default_factory=list, hash=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standard:
    """The same by the standard library."""

    needed: int
    default: str | None = None
    made: list[int] = dataclasses.field(default_factory=list)
    secret: str = dataclasses.field(default="s", repr=False)
    note: str = dataclasses.field(default="", compare=False)
    unhashed: list[int] = dataclasses.field(default_factory=list, hash=False)


@records.dataclass(frozen=True, slots=True, order=True)
class Ordered:
    """One that can be sorted."""

    first: int
    second: str


@records.dataclass(slots=True)
class Changing:
    """One whose fields are set later."""

    count: int = 0


def test_fields_are_given_by_place_or_name() -> None:
    assert (Point(1).x, Point(1).y, Point(1, 2).total, Point(y=3, x=1).total) == (1, 0, 3, 4)
    assert (Named(1, 2, "n").name, Named(1).name, Named(1, 2).total) == ("n", "a", 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Options(1),  # type: ignore[call-arg]
        Options,
        lambda: Options(needed=1, other=2),  # type: ignore[call-arg]
        lambda: Point(1, 2, 3),  # type: ignore[call-arg]
        lambda: Point(1, x=1),  # type: ignore[misc]
    ],
    ids=["place", "missing", "unknown", "many", "twice"],
)
def test_wrong_arguments_are_refused(make: Callable[[], object]) -> None:
    for _ in range(2):
        # The first time and, with what was compiled then, the second.
        with pytest.raises(TypeError):
            make()


def test_equality_counts_what_is_compared() -> None:
    assert Options(needed=1, note="a") == Options(needed=1, note="b")
    assert Options(needed=1) != Options(needed=2)
    assert Options(needed=1) != object()
    assert Point(1, 0) != Named(1, 0)
    assert Changing(1) == Changing(1)


def test_hashes_agree_with_equality() -> None:
    assert hash(Point(1, 2)) == hash(Point(1, 2))
    assert len({Point(1, 2), Point(1, 2), Named(1, 2)}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Options(needed=1))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Changing())


def test_a_factory_makes_one_for_each_object() -> None:
    first, second = Options(needed=1), Options(needed=1)
    first.made.append(1)
    assert second.made == []


def test_a_frozen_object_stays_as_it_is() -> None:
    point = Point(1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del point.x
    assert not hasattr(point, "__dict__")
    changing = Changing()
    changing.count += 1
    assert changing.count == 1
    with pytest.raises(AttributeError):
        changing.other = 1  # type: ignore[attr-defined]


def test_objects_are_sorted_field_by_field() -> None:
    rows = [Ordered(2, "a"), Ordered(1, "b"), Ordered(1, "a")]
    assert sorted(rows) == [Ordered(1, "a"), Ordered(1, "b"), Ordered(2, "a")]
    with pytest.raises(TypeError):
        _ = Ordered(1, "a") < Point(1)  # type: ignore[operator]


def test_they_read_as_the_standard_ones() -> None:
    assert repr(Options(needed=1)) == repr(Standard(needed=1)).replace("Standard", "Options")
    assert repr(Named(1)) == "Named(x=1, y=0, name='a')"


@pytest.mark.parametrize("value", [Named(1, 2, "n"), Changing(3)], ids=["frozen", "changing"])
def test_objects_are_copied_and_pickled(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value


def test_the_standard_functions_take_them() -> None:
    fields = dataclasses.fields(Options)
    assert [field.name for field in fields] == [f.name for f in dataclasses.fields(Standard)]
    for field, other in zip(fields, dataclasses.fields(Standard), strict=True):
        assert (field.default, field.repr, field.compare, field.hash, field.kw_only) == (
            *(other.default, other.repr, other.compare, other.hash, other.kw_only),
        )
    assert dataclasses.is_dataclass(Named)
    assert dataclasses.replace(Named(1, 2), x=5) == Named(5, 2)
    assert dataclasses.asdict(Named(1)) == {"x": 1, "y": 0, "name": "a"}


def test_replace_changes_what_is_named() -> None:
    assert records.replace(Named(1, 2), name="z") == Named(1, 2, "z")
    with pytest.raises(TypeError):
        records.replace(Named(1), other=1)  # type: ignore[call-arg]


def test_asdict_goes_into_what_fields_hold() -> None:
    changing = Changing(2)
    value = Options(needed=1, made=[1])
    assert records.asdict(value) == dataclasses.asdict(Standard(needed=1, made=[1]))
    held = Named(Point(1), (changing, [Point(2)]), {"k": Point(3)})  # type: ignore[arg-type]
    assert records.asdict(held) == {
        "x": {"x": 1, "y": 0},
        "y": ({"count": 2}, [{"x": 2, "y": 0}]),
        "name": {"k": {"x": 3, "y": 0}},
    }


def test_patterns_match_by_place() -> None:
    match Named(1, 2, "n"):
        case Named(x, y, name):
            assert (x, y, name) == (1, 2, "n")
        case _:
            pytest.fail("no match")


def test_defining_a_class_loads_no_compiler_of_classes() -> None:
    script = "import sys, rdcompose.tree; print('dataclasses' in sys.modules)"
    top = Path(__file__).parents[1]
    command = [sys.executable, "-P", "-c", script]
    done = subprocess.run(
        command, env={"PYTHONPATH": str(top)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
