"""The JSON schema of ``rdcompose.toml``, from what the command line says of itself.

``python -m tests.support.project_schema`` writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rdcompose.archive import suites
from rdcompose.cli.project_builds import NAME, NAME_PATTERN
from rdcompose.cli.project_keys import Kind, build_keys

if TYPE_CHECKING:
    from rdcompose.cli.project_keys import Key

PATH: Final = Path(__file__).parents[2] / "rdcompose" / "rdcompose.schema.json"

_TEXT: Final = {"type": "string", "minLength": 1}


def schema() -> dict[str, Any]:
    """Return the schema; draft 7 is what editors' plugins for TOML know."""
    keys = build_keys()
    known = {name: {"$ref": f"#/definitions/{name}"} for name in keys}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "rdcompose.toml",
        "description": "Where packages come from, and what rdcompose build builds.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "mirror": _list(_TEXT) | {"description": "Mirrors of the archive, for every command."},
            "suite": {
                "type": "string",
                "pattern": f"^(?:{suites._NAME.pattern})$",
                "description": "Suite to look in first, for every command.",
            },
            "keyring": _TEXT | {"description": "Who must have signed, for every command."},
            "defaults": {
                "description": "Options of all builds.",
                "type": "object",
                "additionalProperties": False,
                "properties": known,
            },
            "build": {
                "description": "What is built.",
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": [NAME],
                    "properties": {
                        NAME: {
                            "type": "string",
                            "pattern": f"^(?:{NAME_PATTERN})$",
                            "description": "What the build and its directory are called.",
                        }
                    }
                    | known,
                },
            },
        },
        "definitions": {name: _of(key) for name, key in keys.items()},
    }


def _of(key: Key) -> dict[str, Any]:
    one: dict[str, Any] = {"enum": list(key.choices)} if key.choices else dict(_TEXT)
    kinds = {Kind.SWITCH: {"type": "boolean"}, Kind.TEXT: one, Kind.LIST: _list(one)}
    return kinds[key.kind] | {"description": key.help}


def _list(one: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [one, {"type": "array", "items": one}]}


def text() -> str:
    """Return the schema as its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
