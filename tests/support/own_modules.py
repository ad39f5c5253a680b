"""A made-up kernel with symbol versions, and modules that were built for it, or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rdcompose.formats.elf import read_module
from rdcompose.kernel.config import KernelConfig
from rdcompose.kernel.module import Module
from rdcompose.kernel.moduletree import ModuleTree
from rdcompose.kernel.package import KernelPackage
from rdcompose.kernel.release import architecture_by_name
from rdcompose.tree import Bytes
from tests.support.ksymtab import make_ksymtab
from tests.support.modules import make_ko

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

RELEASE: Final = "6.1.0-7-cloud-amd64"
WORDS: Final = "SMP preempt mod_unload modversions "
VERMAGIC: Final = f"{RELEASE} {WORDS}"
# What the kernel itself exports; nothing in its tree uses the last three.
PLAIN: Final = {"module_layout": 0x11, "_printk": 0x12, "kfree": 0x13, "register_chrdev": 0x14}
GPL: Final = {"device_register": 0x21, "cxl_get": 0x22}
NAMESPACES: Final = {"cxl_get": "CXL"}
FILLER: Final = {f"zz_{number:02}": number for number in range(16)}
# What a module of the tree exports.
CORE: Final = {"core_get": 0x31, "core_put": 0x32}


def own_module(
    name: str,
    needs: Mapping[str, int] | None = None,
    *,
    exports: Mapping[str, int] | Sequence[str] = (),
    unversioned: Sequence[str] = (),
    modinfo: Iterable[str] = (),
    vermagic: str = VERMAGIC,
    signature: bytes | None = None,
    machine: int = 62,
) -> bytes:
    """Return a module file; ``unversioned`` it needs without having a version of them."""
    versions = {"module_layout": PLAIN["module_layout"]} | dict(needs or {})
    imports = [*versions, *unversioned]
    imports.remove("module_layout")
    lines = [f"name={name}", *modinfo, f"vermagic={vermagic}"]
    if not any(line.startswith("license=") for line in lines):
        lines.append("license=GPL")
    return make_ko(lines, exports, imports, versions=versions, signature=signature, machine=machine)


def as_module(path: str, data: bytes) -> Module:
    """Return a module as it was read."""
    return Module(path=path, elf=read_module(data), content=Bytes(data))


def sample_modules() -> dict[str, bytes]:
    """Return the modules of the kernel's own tree, by path."""
    return {
        "kernel/core.ko": own_module(
            "core", {"_printk": PLAIN["_printk"]}, exports=CORE, modinfo=["intree=Y"]
        ),
        "kernel/user.ko": own_module("user", {"core_get": CORE["core_get"]}, modinfo=["intree=Y"]),
    }


def kernel_image(*, versioned: bool = True) -> bytes:
    """Return an image that tells all the kernel exports."""
    return make_ksymtab({**PLAIN, **FILLER}, GPL, namespaces=NAMESPACES, versioned=versioned)


def sample_kernel(
    *,
    image: bytes = b"",
    modules: Mapping[str, bytes] | None = None,
    options: Mapping[str, str] | None = None,
    builtin: Sequence[str] = (),
) -> KernelPackage:
    """Return a kernel; without an image, only its modules tell of its symbols."""
    files = sample_modules() if modules is None else modules
    return KernelPackage(
        release=RELEASE,
        architecture=architecture_by_name("amd64"),
        image_name="vmlinuz",
        image=image,
        config_text=b"",
        config=KernelConfig({"MODULES": "y", "MODVERSIONS": "y", **(options or {})}),
        tree=ModuleTree(
            release=RELEASE,
            modules=tuple(as_module(path, data) for path, data in sorted(files.items())),
            files={"modules.builtin": "".join(f"{path}\n" for path in builtin).encode()},
        ),
        timestamp=0,
        controls=(),
    )
