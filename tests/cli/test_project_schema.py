"""The schema that editors read says of files what rdcompose says of them."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any, Final

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.cli.project import Project, read_project
from rdcompose.cli.project_builds import read_builds
from rdcompose.cli.project_keys import build_keys
from rdcompose.errors import SpecError
from tests.support.project_schema import PATH, schema, text
from tests.support.projects import PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEYS: Final = build_keys()
VALIDATOR: Final = jsonschema.Draft7Validator(schema())


def test_the_file_is_up_to_date() -> None:
    wanted = text()
    found = PATH.read_text(encoding="utf-8")
    assert found == wanted, "write it with: python -m tests.support.project_schema"


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(schema())


def _values(name: str) -> st.SearchStrategy[object]:
    choices = KEYS[name].choices
    texts = st.sampled_from(("", "a", *choices))
    return st.one_of(texts, st.booleans(), st.just(3), st.lists(texts, max_size=2))


def _tables(names: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, object]]:
    pairs = names.flatmap(lambda name: st.tuples(st.just(name), _values(name)))
    return st.lists(pairs, max_size=3).map(dict)


TABLES: Final = _tables(st.sampled_from(sorted(KEYS)))
NAMES: Final = st.sampled_from(("a", "", "-a", "a/b", "a b", "A" * 64, "A" * 65, 3))


def accepted(defaults: Mapping[str, Any], builds: list[dict[str, Any]]) -> bool:
    try:
        read_builds(Project(defaults=defaults, builds=tuple(builds)))
    except SpecError:
        return False
    return True


@settings(deadline=None)
@given(defaults=TABLES, build=TABLES, name=NAMES)
def test_both_accept_the_same(
    defaults: dict[str, object], build: dict[str, object], name: object
) -> None:
    builds = [build | {"name": name}]
    data = {"defaults": defaults, "build": builds}
    assert VALIDATOR.is_valid(data) == accepted(defaults, builds)


@pytest.mark.parametrize(
    ("content", "valid"),
    [
        ("", True),
        (PROJECT, True),
        ('mirror = ["http://a/", "b"]\nsuite = "bookworm/updates"\nkeyring = "k"', True),
        ("mirror = []", True),
        ("mirror = 5", False),
        ('mirror = ["a", ""]', False),
        ('suite = ""', False),
        ('suite = "../x"', False),
        ("keyring = 3", False),
        ('mirrors = "x"', False),
        ("[build]", False),
        ("[[build]]", False),
        ("[[defaults]]", False),
        ("[[build]]\nname = 'a'\nproflie = 'x'", False),
        ("[defaults]\nname = 'a'", False),
    ],
)
def test_whole_files(tmp_path: Path, content: str, valid: bool) -> None:
    path = tmp_path / "rdcompose.toml"
    path.write_text(content, encoding="utf-8")
    assert VALIDATOR.is_valid(tomllib.loads(content)) == valid
    if valid:
        read_builds(read_project(path), path)
    else:
        with pytest.raises(SpecError):
            read_builds(read_project(path), path)
