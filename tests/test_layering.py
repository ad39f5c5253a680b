"""The layers of docs/architecture.md hold: imports point down, side effects stay in place."""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.unmeasured import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TOP: Final = Path(__file__).parents[1]
PACKAGE: Final = TOP / "rdcompose"
SOURCES: Final = sorted(PACKAGE.rglob("*.py"))

# Lowest first. A name may import what is in its own layer or below.
LAYERS: Final = [
    {"errors", "globs", "tree"},
    {"formats"},
    {"kernel", "archive"},
    {"compose"},
    {
        *("outputs", "emit", "publish", "update", "manifest"),
        *("boards", "qemu", "inspect", "release", "hosting"),
    },
    {"cli"},
    {"__main__"},
]
RANK: Final = {name: rank for rank, names in enumerate(LAYERS) for name in names}
# What a kernel is and where packages come from know nothing of each other, nor does
# what boots artifacts know how they are made.
SEPARATE: Final = [
    {"kernel", "archive"},
    *({"qemu", other} for other in ("compose", "outputs", "boards")),
]

# formats/ works on bytes and file objects only.
IMPURE: Final = {
    *("os", "pathlib", "shutil", "subprocess", "tempfile", "time", "datetime", "glob"),
    *("urllib", "http", "socket", "requests"),
}
# Who may open sockets and run programs.
PLACES: Final = {
    "requests": {"archive/fetch.py", "hosting/client.py"},
    "urllib3": {"archive/fetch.py", "archive/failures.py", "hosting/client.py"},
    "urllib.request": set[str](),
    "http.client": set[str](),
    "socket": set[str](),
    "subprocess": {"qemu/accelerator.py", "qemu/process.py", "release/signer.py"},
    "multiprocessing": {"cli/job_pool.py"},
}


def imports(source: Path) -> Iterator[str]:
    """Dotted names that a file imports when it runs, wherever the import stands."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    typing_only = {
        id(child)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for child in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_name(source: Path) -> str:
    """Dotted name of a file of the package."""
    parts = source.relative_to(TOP).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES: Final = {module_name(source): source for source in SOURCES}


def own_imports(source: Path) -> set[str]:
    """Modules of this package that a file imports."""
    found = set()
    for name in imports(source):
        if name.split(".")[0] == "rdcompose":
            # The last part may be a module or something in one.
            found.add(name if name in MODULES else name.rpartition(".")[0])
    return found


def layer(module: str) -> str:
    """The part of the package that a module belongs to: a key of RANK."""
    return module.split(".")[1]


def identify(source: Path) -> str:
    """The test's name for a file."""
    return str(source.relative_to(PACKAGE))


@pytest.mark.parametrize("source", SOURCES, ids=identify)
def test_imports_point_down(source: Path) -> None:
    if source == PACKAGE / "__init__.py":
        assert own_imports(source) == set()
        return
    here = layer(module_name(source))
    assert here in RANK, f"{here} has no place in LAYERS"
    wrong = [
        name
        for name in own_imports(source)
        if name != "rdcompose"
        and (RANK[layer(name)] > RANK[here] or {here, layer(name)} in SEPARATE)
    ]
    assert wrong == []


def test_no_import_cycles() -> None:
    # A package's __init__ is imported with each of its modules; it holds no code.
    graph = {name: own_imports(source) - {name} for name, source in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("source", sorted((PACKAGE / "formats").rglob("*.py")), ids=identify)
def test_formats_are_pure(source: Path) -> None:
    assert IMPURE.isdisjoint({name.split(".")[0] for name in imports(source)})


@pytest.mark.parametrize("source", SOURCES, ids=identify)
def test_side_effects_stay_in_their_places(source: Path) -> None:
    names = list(imports(source))
    wrong = [
        target
        for target, places in PLACES.items()
        if str(source.relative_to(PACKAGE)) not in places
        and any(f"{name}.".startswith(f"{target}.") for name in names)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "source", [source for source in SOURCES if source.name == "__init__.py"], ids=identify
)
def test_package_files_hold_nothing_that_runs(source: Path) -> None:
    statements = ast.parse(source.read_text(encoding="utf-8")).body
    allowed = ast.Expr | ast.ImportFrom | ast.Assign | ast.AnnAssign
    assert [ast.unparse(node) for node in statements if not isinstance(node, allowed)] == []
    assert ast.get_docstring(ast.parse(source.read_text(encoding="utf-8")))


# Each costs more time than the whole start may take.
HEAVY: Final = frozenset(
    {"libarchive", "elftools", "zstandard", "lz4", "requests", "rich", "asyncio", "http"}
    | {"pysequoia", "platformdirs", "urllib3", "concurrent", "ctypes", "difflib"}
)
# For what is only typed wrong: no kernel is read, no archive asked, nothing written.
UNREAD: Final = frozenset(
    {f"rdcompose.{name}" for name in ("boards", "inspect", "qemu", "outputs")}
    | {"rdcompose.compose.plan", "rdcompose.kernel.package", "rdcompose.formats.tarstream"}
    | {"rdcompose.archive.search", "rdcompose.archive.cache"}
)
COMMANDS: Final = (
    *("build", "boot", "verify", "report", "ls", "unpack", "cat", "pi", "kernels", "supports"),
    *("diff", "why", "find", "suggest"),
    *("cache", "cache list"),
    *("mkinitramfs", "modules2qcow2", "update-busybox", "update-e2fsck"),
)


def loaded(*words: str) -> tuple[set[str], str]:
    """Run a command in a process of its own; returns the modules it loads, and what it says."""
    script = (
        "import sys, rdcompose.cli.main as cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "sys.stdout.flush()\n"
        "print('', *sys.modules, sep='\\n', file=sys.stderr)\n"
    )
    command = [sys.executable, "-P", "-c", script, *words]
    # Measuring loads modules of its own.
    done = subprocess.run(
        command, env=unmeasured(), cwd=TOP, capture_output=True, text=True, check=True
    )
    modules = set(done.stderr.splitlines())
    return modules | {name.split(".")[0] for name in modules}, done.stdout + done.stderr


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_loads_no_heavy_library(command: str) -> None:
    modules, said = loaded(*command.split(), "--help")
    assert "usage" in said
    assert (HEAVY | UNREAD | {"dataclasses", "json"}) & modules == set()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--version",), "rdcompose"),
        (("build", "--nope"), "unrecognized arguments: --nope"),
        (("build", "gone.deb"), "cannot read the kernel package gone.deb"),
        (("pi", "gone.deb", "-o", "gone"), "cannot read the kernel package gone.deb"),
        (("verify", "gone"), "cannot read gone: No such file"),
        (("report", "gone"), "cannot read gone: No such file"),
        (("boot", "gone"), "cannot read gone: No such file"),
        (("ls", "gone"), "cannot read gone: No such file"),
        (("unpack", "gone", "out"), "cannot read gone: No such file"),
        (("cat", "gone", "init"), "cannot read gone: No such file"),
        (("diff", "gone", "out"), "cannot read gone: No such file"),
        (("why", "./gone", "ext4"), "cannot read ./gone: No such file"),
        (("find", "gone.deb", "ext4"), "cannot read gone.deb: No such file"),
    ],
    ids=[
        *("version", "option", "package", "pi", "verify", "report", "boot", "ls", "unpack", "cat"),
        *("diff", "why", "find"),
    ],
)
def test_wrong_words_are_told_before_much_is_loaded(words: Sequence[str], message: str) -> None:
    modules, said = loaded(*words)
    assert message in said
    assert (HEAVY | UNREAD | {"dataclasses", "json"}) & modules == set()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("build",), "no KERNEL is given"),
        (("build", "nope"), "the name 'nope' does not tell its architecture"),
        (("build", "gone/", "--profile", "nope"), "cannot read the kernel package"),
        (("build", "cloud-amd64", "--profile", "nope"), "there is no profile 'nope'"),
        (("build", "cloud-amd64", "--compress", "nope"), "no compressor is called 'nope'"),
        (("build", "cloud-amd64", "--arch", "nope"), "'nope' is no architecture"),
    ],
    ids=["kernel", "name", "directory", "profile", "compressor", "architecture"],
)
def test_wrong_choices_are_told_before_kernels_are_read(words: Sequence[str], message: str) -> None:
    modules, said = loaded(*words)
    assert message in said
    # Suggestions are what difflib is for.
    assert (HEAVY | UNREAD) - {"difflib"} & modules == set()


def test_a_build_of_local_files_loads_no_archive() -> None:
    modules, said = loaded("build", "./README.md", "--busybox", "none", "--e2fsck", "none")
    assert "README.md: " in said
    unused = {"rdcompose.archive.repository", "rdcompose.archive.fetch", "rdcompose.archive.trust"}
    unused |= {"rdcompose.boards", "rdcompose.inspect", "rdcompose.qemu"}
    unused |= {"rdcompose.formats.pe", "rdcompose.formats.uki", "rdcompose.kernel.rootfs"}
    assert unused & modules == set()


def test_lists_for_a_machine_load_nothing_that_boots() -> None:
    modules, said = loaded("suggest", "./README.md", "--sys", "/dev/null")
    assert "/dev/null has no modalias" in said
    unused = {"rdcompose.archive.repository", "rdcompose.archive.fetch", "rdcompose.archive.trust"}
    unused |= {"rdcompose.boards", "rdcompose.qemu", "rdcompose.outputs", "rdcompose.compose.plan"}
    assert unused & modules == set()


def test_comparing_loads_nothing_that_fetches_or_composes() -> None:
    modules, said = loaded("diff", "README.md", "CHANGELOG.md")
    assert "CHANGELOG.md" in said
    unused = {f"rdcompose.{name}" for name in ("archive", "boards", "qemu", "outputs", "hosting")}
    assert unused & modules == set()
    assert {"libarchive", "requests", "rich", "zstandard", "lz4"} & modules == set()
