"""A manifest as a lock, whoever wrote it."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcompose.compose.inputs import ArchiveOrigin, Input
from rdcompose.compose.lock import Lock, read_lock
from rdcompose.errors import SpecError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

A, B, C = "a" * 64, "b" * 64, "c" * 64
KERNEL: Final = Input(
    role="kernel",
    file="linux-image-R_1_amd64.deb",
    sha256=A,
    source="archive",
    package="linux-image-R",
    version="1",
    architecture="amd64",
    size=5,
    archive=ArchiveOrigin(
        label="Debian", suite="bookworm", path="pool/main/l/linux_1.deb", verified=True
    ),
)
BUSYBOX: Final = Input(role="busybox", file="busybox", sha256=B, source="local file", size=7)
LIST: Final = Input(role="module list", file="p/modules.ramfs", sha256=C, source="built in")


def manifest() -> dict[str, Any]:
    """Return what a composition wrote."""
    return {
        "release": "R",
        "architecture": "amd64",
        "timestamp": 1700000000,
        "options": {
            "profile": "minivm",
            "compress": "gzip:5",
            "disk": "remaining",
            "disk-format": "qcow2",
            "disk-compress": "zstd",
            "to come": "x",
        },
        "inputs": [_written(item) for item in (KERNEL, BUSYBOX, LIST)],
    }


def _written(item: Input) -> dict[str, Any]:
    row = dataclasses.asdict(item)
    return {name: value for name, value in row.items() if value not in (None, "")}


@pytest.fixture
def read(tmp_path: Path) -> Callable[[object], Lock]:
    def write_and_read(data: object) -> Lock:
        path = tmp_path / "manifest-R.json"
        path.write_text(json.dumps(data))
        return read_lock(path)

    return write_and_read


def lock(*inputs: Input) -> Lock:
    from pathlib import Path

    return Lock(
        path=Path("lock"),
        release="R",
        architecture="amd64",
        timestamp=1,
        options={},
        inputs=inputs,
    )


def changed(item: Input, **fields: Any) -> Input:
    return dataclasses.replace(item, **fields)


def fault(wanted: Lock, *inputs: Input) -> str:
    with pytest.raises(SpecError) as caught:
        wanted.check(inputs)
    assert caught.value.hint is not None
    assert caught.value.message.isprintable()
    return caught.value.message


def test_all_that_a_manifest_says(read: Callable[[object], Lock], tmp_path: Path) -> None:
    found = read(manifest())
    assert found == Lock(
        path=tmp_path / "manifest-R.json",
        release="R",
        architecture="amd64",
        timestamp=1700000000,
        options=manifest()["options"],
        inputs=(KERNEL, BUSYBOX, LIST),
    )
    assert found.of_role("kernel") == (KERNEL,)
    assert found.of_role("e2fsck") == ()


def replaced(*path: str | int, value: object) -> dict[str, Any]:
    """Return a manifest in which one value is another."""
    data: Any = manifest()
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert isinstance(data, dict)
    return data


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("release",), 5),
        (("architecture",), None),
        (("timestamp",), "1"),
        (("timestamp",), True),
        (("timestamp",), -1),
        (("timestamp",), 1 << 32),
        (("options",), ["x"]),
        (("options",), None),
        (("options", "disk"), "nonsense"),
        (("options", "image"), "nonsense"),
        (("options", "disk-format"), "vmdk"),
        (("options", "compress"), "rar"),
        (("options", "disk-compress"), "zstd:ninety"),
        (("options", "profile"), "../../etc"),
        (("options", "profile"), 5),
        (("options", "to come"), 5),
        (("inputs",), {"a": 1}),
        (("inputs",), 5),
        (("inputs", 0), "x"),
        (("inputs", 0, "role"), []),
        (("inputs", 0, "file"), None),
        (("inputs", 0, "source"), 1),
        (("inputs", 0, "sha256"), "../" + A[:61]),
        (("inputs", 0, "sha256"), A.upper()),
        (("inputs", 0, "size"), -1),
        (("inputs", 0, "size"), 1 << 60),
        (("inputs", 0, "size"), 1.5),
        (("inputs", 0, "size"), False),
        (("inputs", 0, "package"), 5),
        (("inputs", 0, "version"), None),
        (("inputs", 0, "architecture"), {}),
        (("inputs", 0, "archive"), "x"),
        (("inputs", 0, "archive"), {}),
        (("inputs", 0, "archive", "verified"), "yes"),
        (("inputs", 0, "archive", "label"), 1),
        (("inputs", 0, "archive", "suite"), None),
        (("inputs", 0, "archive", "path"), "../../../etc/shadow"),
        (("inputs", 0, "archive", "path"), "/etc/shadow"),
        (("inputs", 0, "archive", "path"), "http://x/y"),
        (("inputs", 0, "archive", "path"), "pool/a b"),
        (("inputs", 0, "archive", "path"), ""),
    ],
)
def test_what_no_manifest_says(
    read: Callable[[object], Lock], path: tuple[str | int, ...], value: object
) -> None:
    with pytest.raises(SpecError) as caught:
        read(replaced(*path, value=value))
    assert "manifest-R.json is no manifest: " in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.hint is not None


@pytest.mark.parametrize("name", ["release", "architecture", "timestamp", "options", "inputs"])
def test_what_a_manifest_needs(read: Callable[[object], Lock], name: str) -> None:
    data = manifest()
    del data[name]
    with pytest.raises(SpecError, match=f"it has no '{name}'"):
        read(data)


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000, b"null"])
def test_what_is_no_json(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(data)
    with pytest.raises(SpecError, match="is no manifest"):
        read_lock(path)


def test_what_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_lock(tmp_path / "none")
    assert caught.value.message.startswith("cannot read the manifest")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
PLACES: Final = [
    ("release",),
    ("timestamp",),
    ("options",),
    ("options", "disk"),
    ("inputs",),
    ("inputs", 0),
    ("inputs", 0, "size"),
    ("inputs", 0, "archive"),
    ("inputs", 0, "archive", "path"),
]


@given(place=st.sampled_from(PLACES), value=json_values)
def test_whatever_it_says(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str | int, ...], value: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(replaced(*place, value=value)))
    try:
        read_lock(path)
    except SpecError as error:
        assert "any.json is no manifest" in error.message  # noqa: PT017


# Comparison.


def test_same_inputs() -> None:
    lock(KERNEL, BUSYBOX, LIST).check([LIST, KERNEL, BUSYBOX])
    # Names of files may differ, contents not.
    lock(KERNEL).check([changed(KERNEL, file="x.deb", source="local file", archive=None)])


def test_another_content() -> None:
    message = fault(lock(KERNEL), changed(KERNEL, sha256=B))
    assert message == (
        f"the kernel linux-image-R is not the one that lock locks: its SHA-256 is {B}, not {A}"
    )


def test_missing_input() -> None:
    message = fault(lock(KERNEL, BUSYBOX), KERNEL)
    assert message == "lock locks the busybox, which is not used here"


def test_further_input() -> None:
    message = fault(lock(KERNEL), KERNEL, LIST)
    assert message == "the module list p/modules.ramfs is not among what lock locks"


def test_kernel_of_another_package() -> None:
    message = fault(lock(KERNEL), changed(KERNEL, package="linux-base-R"))
    assert message == "lock locks the kernel linux-image-R, which is not used here"


@pytest.mark.parametrize(
    ("role", "names"),
    [("feature", {"file": "other"}), ("added", {"package": "other"}), ("added", {"file": "o"})],
)
def test_inputs_of_a_role_are_told_apart(role: str, names: dict[str, str]) -> None:
    first = Input(role=role, file="f", sha256=A, source="archive")
    second = changed(first, sha256=B, **names)
    both = lock(first, second)
    both.check([second, first])
    assert "is not the one" in fault(both, changed(first, sha256=B), changed(second, sha256=A))


def test_two_of_one_name() -> None:
    """None of them hides behind the other."""
    second = changed(KERNEL, sha256=B)
    lock(KERNEL, second).check([second, KERNEL])
    for inputs in ((KERNEL,), (second,), (KERNEL, KERNEL), (KERNEL, second, second)):
        assert "is not the one" in fault(lock(KERNEL, second), *inputs)
    for extra in (A, B):
        assert "is not the one" in fault(lock(KERNEL), KERNEL, changed(KERNEL, sha256=extra))


def test_hostile_names_are_not_shown_as_they_are() -> None:
    evil = changed(LIST, file="\x1b[2J\nx")
    assert "module list ?[2J?x" in fault(lock(evil))
