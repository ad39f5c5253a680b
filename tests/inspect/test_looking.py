from __future__ import annotations

from typing import TYPE_CHECKING

from rdcompose.inspect.looking import Looking
from rdcompose.inspect.opened import open_image
from rdcompose.inspect.patterns import PathPatterns
from tests.support.artifacts import initramfs_bytes, initramfs_files
from tests.support.images import make_bzimage
from tests.support.packages import kernel_deb

if TYPE_CHECKING:
    from pathlib import Path


def test_what_is_meant(tmp_path: Path) -> None:
    image = tmp_path / "initrd"
    image.write_bytes(initramfs_bytes(initramfs_files()))
    with open_image(image) as opened:
        looking = Looking(opened, PathPatterns(["/bin/sh", "etc/"]))
        assert looking.limited
        found = [located.entry.path for located in looking.entries()]
        assert found == ["bin/sh", "etc", "etc/mtab"]
        # All entries were looked at for this.
        assert looking.architectures == ("amd64",)
        everything = Looking(opened, PathPatterns([]))
        assert not everything.limited
        assert len(list(everything.entries())) == len(list(opened.entries()))


def test_what_tells_the_architecture(tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(make_bzimage())
    (tmp_path / "x.deb").write_bytes(kernel_deb())
    (tmp_path / "text").write_bytes(b"text")
    found = {}
    for path in tmp_path.iterdir():
        with open_image(path) as opened:
            found[path.name] = Looking(opened, PathPatterns([])).architectures
    assert found["x.deb"] == ("amd64",)
    assert "amd64" in found["vmlinuz"]
    assert found["text"] == ()
