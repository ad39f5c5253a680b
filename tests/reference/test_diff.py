"""``rdcompose diff`` beside what cpio unpacks, modinfo says and kernels are configured with."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from rdcompose.cli.main import main
from rdcompose.kernel.module import modname
from rdcompose.kernel.moduletree import plain_module_path
from tests.support.foreign import BUILDERS, foreign_initramfs
from tests.support.kernels import unpacked
from tests.support.tools import run, run_bytes, tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.reference

SETS = ("alias", "firmware", "softdep")


def compared(capsys: pytest.CaptureFixture[str], before: Path, now: Path) -> dict[str, Any]:
    assert main(["diff", "--json", str(before), str(now)]) == 0
    [group] = json.loads(capsys.readouterr().out)["groups"]
    assert isinstance(group, dict)
    return group


def cpio_tree(image: Path, target: Path) -> Path:
    """Unpack an initramfs of one segment as cpio does; nodes take another user."""
    target.mkdir()
    plain = run_bytes(tool("zstd"), "-dcq", image)
    options = ["-id", "--quiet", "--no-absolute-filenames", "--nonmatching", "dev/*"]
    run(tool("cpio"), *options, stdin=plain, cwd=target)
    return target


def found_in(tree: Path) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Yield path, and what tells entries apart, of all that is no module."""
    waiting = [tree]
    while waiting:
        for path in waiting.pop().iterdir():
            inner = path.relative_to(tree).as_posix()
            if plain_module_path(inner) is not None or inner.split("/")[0] == "dev":
                continue
            mode = path.lstat().st_mode
            if path.is_symlink():
                yield inner, ("link", str(path.readlink()))
            elif path.is_dir():
                waiting.append(path)
                yield inner, ("directory", mode)
            else:
                yield inner, ("file", mode, hashlib.sha256(path.read_bytes()).hexdigest())


def test_images_of_other_makers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    images = [foreign_initramfs(builder) for builder in BUILDERS]
    old, new = (dict(found_in(cpio_tree(image, tmp_path / image.parent.name))) for image in images)
    group = compared(capsys, *images)
    [file] = group["files"]
    entries = file["entries"]
    rows = {
        side: {row["path"][1:] for row in entries[side] if not row["path"].startswith("/dev")}
        for side in ("new", "gone")
    }
    changed = [row for row in entries["changed"] if not row["now"]["path"].startswith("/dev")]
    moved = [row for row in changed if "path" in row["what"]]
    assert rows["new"] | {row["now"]["path"][1:] for row in moved} == new.keys() - old.keys()
    assert rows["gone"] | {row["before"]["path"][1:] for row in moved} == old.keys() - new.keys()
    both = old.keys() & new.keys()
    assert {row["now"]["path"][1:] for row in changed if "path" not in row["what"]} == {
        path for path in both if old[path] != new[path]
    }
    assert len(both) > 50
    assert [row["compression"] for row in file["now"]["segments"]] == ["zstd"]


def modinfo(directory: Path) -> dict[str, dict[str, set[str]]]:
    """What modinfo says of all modules below a directory, by their names."""
    paths = sorted(str(path) for path in directory.rglob("*.ko*"))
    found: dict[str, dict[str, set[str]]] = {}
    says: dict[str, set[str]] = {}
    for line in run(tool("modinfo"), *paths).splitlines():
        key, colon, value = line.partition(":")
        if key == "filename":
            says = found.setdefault(modname(value.strip()), {})
        elif colon and not key.startswith(("\t", " ")):
            says.setdefault(key, set()).add(value.strip())
    return found


def text(row: Mapping[str, set[str]], key: str) -> str:
    return next(iter(row.get(key, ())), "")


def depends(row: Mapping[str, set[str]]) -> set[str]:
    return {modname(name) for name in text(row, "depends").split(",") if name}


def test_modules_and_options_of_two_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    trees = [
        unpacked(suite, "amd64", "linux-image-cloud-amd64") for suite in ("bookworm", "trixie")
    ]
    old, new = map(modinfo, trees)
    group = compared(capsys, *trees)
    modules = group["modules"]
    assert {row["name"] for row in modules["new"]} == new.keys() - old.keys()
    assert {row["name"] for row in modules["gone"]} == old.keys() - new.keys()
    assert {row["name"] for row in modules["changed"]} == old.keys() & new.keys()
    for row in modules["changed"]:
        before, now = old[row["name"]], new[row["name"]]
        values = {value["what"]: (value["before"], value["now"]) for value in row["values"]}
        for key in ("version", "srcversion"):
            both = text(before, key), text(now, key)
            assert values.get(key, both) == both
            assert (key in values) == (both[0] != both[1])
        lists = {value["what"]: (set(value["new"]), set(value["gone"])) for value in row["lists"]}
        sides = {key: (before.get(key, set()), now.get(key, set())) for key in SETS}
        for key, (was, has) in (sides | {"depends": (depends(before), depends(now))}).items():
            assert lists.get(key, (set(), set())) == (has - was, was - has)
    aliases = [sum(len(row.get("alias", ())) for row in side.values()) for side in (old, new)]
    assert modules["aliases"] == {"before": aliases[0], "now": aliases[1]}
    check_options(group["config"], trees)


def check_options(found: list[dict[str, str]], trees: list[Path]) -> None:
    lines = [set(next(tree.glob("boot/config-*")).read_text().splitlines()) for tree in trees]
    expected = {
        line.partition("=")[0] for line in lines[0] ^ lines[1] if line.startswith("CONFIG_")
    }
    assert {row["what"] for row in found} == expected
    assert len(expected) > 100
    for row in found:
        for side, text in (("before", lines[0]), ("now", lines[1])):
            value = row[side]
            if value == "n":
                assert not any(line.startswith(f"{row['what']}=") for line in text)
            else:
                assert {f"{row['what']}={value}", f'{row["what"]}="{value}"'} & text
