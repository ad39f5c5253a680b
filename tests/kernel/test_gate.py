from __future__ import annotations

import pytest

from rdcompose.errors import ReleaseError
from rdcompose.kernel.gate import Claim, check_claims, package_release

R = "6.12.57+deb13-amd64"


@pytest.mark.parametrize(
    "package",
    [
        f"linux-image-{R}",
        f"linux-image-{R}-unsigned",
        f"linux-image-unsigned-{R}",
        f"linux-binary-{R}",
        f"linux-base-{R}",
        f"linux-modules-{R}",
        f"linux-modules-extra-{R}",
    ],
)
def test_packages_that_tell_a_release(package: str) -> None:
    assert package_release(package, R) == R
    assert package_release(package, "6.1") == R


@pytest.mark.parametrize(
    "package",
    [
        "raspberrypi-kernel",
        "linux-image-amd64",
        "linux-image-rpi-v8",
        "linux-base",
        f"linux-headers-{R}",
        f"linux-modules-nvidia-535-{R}",
        f"my-linux-image-{R}",
    ],
)
def test_packages_that_tell_none(package: str) -> None:
    assert package_release(package, R) is None


def test_names_in_lower_case() -> None:
    assert package_release("linux-image-6.1-my-own", "6.1-My_Own") == "6.1-My_Own"
    assert package_release("linux-image-6.1-my-own", "6.1-Other") == "6.1-my-own"


def test_claims() -> None:
    assert check_claims([Claim("a", R), Claim("b", R)]) == R
    with pytest.raises(ReleaseError, match=r"a is of 6\.1, but c is of 6\.2"):
        check_claims([Claim("a", "6.1"), Claim("b", "6.1"), Claim("c", "6.2")])
