"""A kernel's modules as text, for what looks into them: real module files, no package.

.. code-block:: text

    module kernel/fs/fat/vfat.ko needs=fat softdep="pre: nls" alias=fs-vfat firmware=a.bin
    builtin kernel/fs/ext4/ext4.ko alias=fs-ext4

Several values are several words of one key.
"""

from __future__ import annotations

import shlex

from rdcompose.formats.elf import read_module
from rdcompose.kernel.depmod import Depmod
from rdcompose.kernel.module import Module, modname
from rdcompose.tree import Bytes
from tests.support.modules import make_ko


def depmod_of_text(text: str) -> Depmod:
    """Read a description."""
    modules: list[Module] = []
    builtin: list[str] = []
    modinfo: list[str] = []
    for line in text.splitlines():
        if not line.strip():
            continue
        kind, path, *words = shlex.split(line)
        facts = [(key, value) for key, _, value in (word.partition("=") for word in words)]
        name = modname(path)
        if kind == "builtin":
            builtin.append(path)
            modinfo += [f"{name}.{key}={value}\0" for key, value in facts]
            continue
        needs = [value for key, value in facts if key == "needs"]
        data = make_ko(
            [("license", "GPL"), *(fact for fact in facts if fact[0] != "needs")],
            exports=[f"of_{name}"],
            imports=[f"of_{need}" for need in needs],
        )
        modules.append(Module(path=path, elf=read_module(data), content=Bytes(data)))
    return Depmod(
        modules,
        order=[module.path for module in modules],
        builtin=builtin,
        builtin_modinfo="".join(modinfo).encode(),
    )
