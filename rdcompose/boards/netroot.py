"""Roots on a server: what the kernel command line says of them, and what they need.

The words are those that the init script reads (docs/boot.md). Those of NFS are the kernel's own,
too (``Documentation/admin-guide/nfs/nfsroot.rst``), ``nbdroot`` is that of the clients of LTSP and
PiNet.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Final

from rdcompose.errors import CapabilityError, SpecError
from rdcompose.kernel.supports import lacking, supports

if TYPE_CHECKING:
    from rdcompose.compose.plan import Plan
    from rdcompose.kernel.package import KernelPackage

_HOST: Final = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
_NBD: Final = re.compile(rf"(?P<host>{_HOST})?(?::(?P<port>\d{{1,5}}))?(?:/(?P<name>[^\s\"]+))?")
_NFS: Final = re.compile(rf"(?:(?P<host>{_HOST}):)?(?P<path>/[^\s\",]*)")
# What NBD roots are, and what makes them writable for each machine of its own.
_OVERLAY: Final = "overlay=tmpfs"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRoot:
    """A root on a server.

    ``text`` is how it was asked for; ``words`` are for the kernel command line, in order;
    ``feature`` is the one of the init script that mounts it; ``needs`` are what the kernel has to
    have, as ``rdcompose supports`` calls it.
    """

    text: str
    words: tuple[str, ...]
    feature: str
    needs: tuple[str, ...]


def network_root(text: str, own: str = "") -> NetworkRoot | None:
    """Return the root that ``nbd:SERVER[:PORT]/NAME`` or ``nfs:[SERVER:]/PATH`` names.

    ``None`` if it is neither. ``own`` are words that a user adds to the kernel command line:
    ``ip=``, ``overlay=`` and ``rw`` there count instead of the usual ones.

    :raises SpecError: it begins like one and is none.
    """
    kind, _, rest = text.partition(":")
    if kind not in {"nbd", "nfs"}:
        return None
    said = {word.partition("=")[0] for word in own.split()}
    words = [] if "ip" in said else ["ip=dhcp"]
    if kind == "nfs":
        if _NFS.fullmatch(rest) is None:
            raise SpecError(f"{text!r} is no root on an NFS server", hint="nfs:SERVER:/PATH")
        words += ["root=/dev/nfs", f"nfsroot={rest}"]
        return NetworkRoot(text=text, words=tuple(words), feature=kind, needs=(kind,))
    _check_nbd(text, rest)
    words.append(f"nbdroot={rest}")
    needs: tuple[str, ...] = (kind,)
    if "rw" not in said:
        words += ["ro"] if "overlay" in said else ["ro", _OVERLAY]
        needs = (kind, "overlay")
    return NetworkRoot(text=text, words=tuple(words), feature=kind, needs=needs)


def _check_nbd(text: str, rest: str) -> None:
    found = _NBD.fullmatch(rest)
    if found is None or not (found["host"] or found["name"]):
        raise SpecError(f"{text!r} is no root on an NBD server", hint="nbd:SERVER[:PORT]/NAME")
    if found["port"] is not None and not 1 <= int(found["port"]) <= 65535:
        raise SpecError(f"{text!r} has no valid port", hint="leave it out: NBD's is 10809")


def check_kernel(root: NetworkRoot, package: KernelPackage) -> None:
    """Check that a kernel can have such a root.

    :raises CapabilityError: names what it lacks.
    """
    modules = {module.name for module in package.tree.modules}
    for one in lacking(package.config, modules, root.needs):
        what = [*one.missing, *(f"the module {name}" for name in one.absent)]
        raise CapabilityError(
            f"the kernel {package.release} cannot have the root {root.text}: "
            f"it lacks {', '.join(what)}",
            hint="rdcompose supports KERNEL says of any kernel whether it can",
        )


def check_initramfs(root: NetworkRoot, package: KernelPackage, plan: Plan) -> None:
    """Check that an initramfs has the modules for such a root.

    :raises SpecError: names one that is missing.
    """
    modules = {module.name for module in package.tree.modules}
    for need in root.needs:
        for name in supports(package.config, modules, need).modules:
            if name not in plan.selection.ramdisk:
                raise SpecError(
                    f"the root {root.text} needs the module {name}, which the initramfs of "
                    f"{plan.release} does not hold",
                    hint="list it in modules.ramfs of the profile, or take the profile pinet",
                )
