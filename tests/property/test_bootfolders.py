"""Whatever stands in config.txt and cmdline.txt, verify has a report and no traceback."""

from __future__ import annotations

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from rdcompose.boards.configtxt import ConfigTxt
from rdcompose.boards.firmware_view import view
from rdcompose.boards.models import MODELS
from rdcompose.inspect.bootfolder import FolderKind
from rdcompose.inspect.boots import BootFacts
from rdcompose.inspect.collection import Collection
from rdcompose.inspect.verify import as_json, as_lines, verify
from tests.support.pifolders import folder, sound

_SOUND: Final = sound()
_KEYS: Final = (
    *("kernel", "initramfs", "ramfsfile", "auto_initramfs", "os_prefix", "device_tree"),
    *("cmdline", "arm_64bit", "upstream_kernel", "overlay_prefix", "include", "dtoverlay"),
    *("start_x", "gpu_mem", "start_file", "[pi4", "[all", "[gpio4", "[Pi5"),
)
_VALUES: Final = (
    *("", "1", "0", "0x1", "what", "R/", "/R/", "R", "../x", ".", "/", "kernel8.img"),
    *("R/kernel8.img", "initramfs8", "a,b", "initramfs8 followkernel", "config.txt", "1]", "]"),
)
_LINE: Final = st.builds(
    lambda key, between, value: key + between + value,
    st.sampled_from(_KEYS),
    st.sampled_from(("=", " ", " = ", "")),
    st.sampled_from(_VALUES) | st.text("aR/.[]=,# \x00é", max_size=6),
)
_TEXT: Final = st.lists(_LINE, max_size=12).map(lambda lines: "\n".join(lines).encode())


@settings(max_examples=40, deadline=None)
@given(_TEXT, _TEXT, st.sampled_from(FolderKind))
def test_any_text_is_judged(config: bytes, cmdline: bytes, kind: FolderKind) -> None:
    files = _SOUND | {"config.txt": config, "R/cmdline.txt": cmdline, "cmdline.txt": cmdline}
    report = verify(Collection((), ()), [BootFacts(folder(files, kind))])
    assert all(line.isprintable() for line in as_lines(report, verbose=True))
    assert as_json(report)["ok"] is (report.contradictions == ())


@given(_TEXT, st.sampled_from(sorted(MODELS)))
def test_what_a_board_loads_is_there(config: bytes, model: str) -> None:
    files = set(_SOUND)
    found = view(ConfigTxt.parse(config), MODELS[model], files.__contains__)
    loaded = {found.kernel, found.device_tree, found.cmdline, *found.initramfs, *found.overlays}
    assert loaded - {None} <= files
    assert found.prefix in {"", found.prefix_asked}
    assert not files.intersection(found.initramfs_missing)
