"""Modules that a compiler really made, against a real kernel's headers."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from pathlib import Path
from typing import Final

from tests.support.kernels import cache_directory, package
from tests.support.tools import missing, run, tool

# One offers a symbol that the other uses; kfree and kmalloc are of the kernel itself.
SOURCES: Final = {
    "rdc_giver": """
#include <linux/module.h>
#include <linux/slab.h>
int rdc_giver_value(int a);
int rdc_giver_value(int a) { return a + 1; }
EXPORT_SYMBOL_GPL(rdc_giver_value);
static int __init start(void) { void *p = kmalloc(32, GFP_KERNEL); kfree(p); return 0; }
static void __exit stop(void) { }
module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
MODULE_ALIAS("rdc-test:*");
""",
    "rdc_taker": """
#include <linux/module.h>
int rdc_giver_value(int a);
static int __init start(void) { pr_info("rdc_taker: %d\\n", rdc_giver_value(41)); return 0; }
static void __exit stop(void) { }
module_init(start);
module_exit(stop);
MODULE_LICENSE("GPL");
""",
}
_LIBELF: Final = "/usr/lib/x86_64-linux-gnu/libelf.so.1"
_CONFIGURED: Final = "usr/src/linux-headers-{release}"


@functools.cache
def built_modules() -> Path:
    """A directory with ``rdc_giver.ko`` and ``rdc_taker.ko`` for Debian 12's ``cloud-amd64``.

    It is kept beside the packages that they are made with.
    """
    kernel = package("bookworm", "amd64", "linux-image-cloud-amd64")
    release = kernel.name.removeprefix("linux-image-").partition("_")[0]
    target = cache_directory() / "built-modules" / kernel.stem
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            _build(Path(scratch), release)
            result = Path(scratch) / "modules"
            for path in result.iterdir():
                if path.suffix != ".ko":
                    path.unlink()
            # Another process may have been faster; both did the same.
            with contextlib.suppress(OSError):
                result.rename(target)
    return target


def _build(scratch: Path, release: str) -> None:
    compiler, make = tool("gcc-12"), tool("make")
    if not Path(_LIBELF).exists():
        missing(f"{_LIBELF} is not there, which objtool of linux-kbuild is linked with")
    common = release.removesuffix("-cloud-amd64") + "-common"
    root = scratch / "root"
    for name in (f"linux-headers-{release}", f"linux-headers-{common}", "linux-kbuild-6.1"):
        architecture = "all" if name.endswith("-common") else "amd64"
        run(tool("dpkg-deb"), "-x", package("bookworm", architecture, name), root)
    headers = root / _CONFIGURED.format(release=release)
    makefile = headers / "Makefile"
    # It is where it would be installed.
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{root}/usr/src/"))
    modules = scratch / "modules"
    modules.mkdir()
    for name, source in SOURCES.items():
        (modules / f"{name}.c").write_text(source)
    objects = " ".join(f"{name}.o" for name in SOURCES)
    (modules / "Makefile").write_text(f"obj-m := {objects}\n")
    environment = {"PATH": f"{Path(compiler).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    run(make, "-C", headers, f"M={modules}", "modules", env=environment)
