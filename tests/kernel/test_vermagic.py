from __future__ import annotations

import pytest

from rdcompose.kernel.vermagic import differences

KERNEL = "6.1.0-7-amd64 SMP preempt mod_unload modversions "
ARM = "6.1.0-7-armmp SMP mod_unload modversions ARMv7 p2v8 "
MOD_UNLOAD = "mod_unload (unloading of modules)"

CASES = {
    "same": (KERNEL, KERNEL, ()),
    "release": (KERNEL.replace("0-7", "0-8"), KERNEL, ("its release is 6.1.0-8-amd64",)),
    "rt": (
        KERNEL.replace("preempt", "preempt_rt"),
        KERNEL,
        ("it was built with preempt_rt (real time)", "it was built without preempt (preemption)"),
    ),
    "flags": (
        "6.1.0-7-amd64 SMP preempt ",
        KERNEL,
        (f"it was built without {MOD_UNLOAD} and modversions (versions of symbols)",),
    ),
    "architecture": (
        ARM.replace("ARMv7", "ARMv6"),
        ARM,
        (
            "it was built with ARMv6 (the architecture)",
            "it was built without ARMv7 (the architecture)",
        ),
    ),
    "layout": (
        f"{KERNEL}RANDSTRUCT_1234",
        f"{KERNEL}RANDSTRUCT_5678",
        ("its structures have another layout (RANDSTRUCT)",),
    ),
    "none": ("", KERNEL, ("it has no vermagic: it does not tell what it was built for",)),
    "order": (
        "6.1 SMP mod_unload preempt ",
        "6.1 SMP preempt mod_unload ",
        (
            (
                "the words of its vermagic are '6.1 SMP mod_unload preempt ', not "
                "'6.1 SMP preempt mod_unload '"
            ),
        ),
    ),
    "space": (
        KERNEL.rstrip(),
        KERNEL,
        (f"the words of its vermagic are {KERNEL.rstrip()!r}, not {KERNEL!r}",),
    ),
}


@pytest.mark.parametrize(("module", "kernel", "phrases"), CASES.values(), ids=CASES.keys())
def test_differences(module: str, kernel: str, phrases: tuple[str, ...]) -> None:
    assert differences(module, kernel) == phrases
