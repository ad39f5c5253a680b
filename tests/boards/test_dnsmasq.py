"""The text of dnsmasq's configuration."""

from __future__ import annotations

import pytest

from rdcompose.boards.dnsmasq import (
    Served,
    check_dhcp_range,
    check_interface,
    check_root,
    configuration,
)
from rdcompose.errors import UsageError


def lines(served: Served) -> list[str]:
    text = configuration(served)
    assert text.endswith("\n")
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_files_only() -> None:
    assert lines(Served(root="/srv/tftp")) == ["port=0", "enable-tftp", "tftp-root=/srv/tftp"]


def test_full() -> None:
    served = Served(root="/srv/tftp", interface="eth0", dhcp_range="192.168.7.50,192.168.7.99,12h")
    assert lines(served) == [
        "port=0",
        "interface=eth0",
        "bind-interfaces",
        "dhcp-range=192.168.7.50,192.168.7.99,12h",
        'pxe-service=0,"Raspberry Pi Boot   "',
        "log-dhcp",
        "enable-tftp",
        "tftp-root=/srv/tftp",
    ]


def test_proxy_says_what_it_is() -> None:
    served = Served(root="/srv/tftp", dhcp_range="192.168.1.0,proxy")
    assert "another DHCP server" in configuration(served)
    assert "dhcp-range=192.168.1.0,proxy" in lines(served)


def test_a_pi_3_is_answered_slowly() -> None:
    with_dhcp = Served(root="/t", dhcp_range="192.168.1.0,proxy", slow_rom=True)
    assert lines(with_dhcp)[-4:-2] == [
        "dhcp-mac=set:pi3,b8:27:eb:*:*:*",
        "dhcp-reply-delay=tag:pi3,1",
    ]
    assert "pi3" not in configuration(Served(root="/t", slow_rom=True))


@pytest.mark.parametrize(
    "text",
    [
        "192.168.7.50,192.168.7.99",
        "192.168.7.50,192.168.7.50,3600",
        "192.168.7.50,192.168.7.99,infinite",
        "192.168.7.50,192.168.7.99,255.255.255.0,12h",
        "192.168.1.0,proxy",
        "192.168.1.0,proxy,255.255.255.0",
    ],
)
def test_a_range(text: str) -> None:
    assert check_dhcp_range(text) == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "one part only"),
        ("192.168.7.50", "one part only"),
        ("192.168.7.0/24,proxy", "'192.168.7.0/24' is no IPv4 address"),
        ("192.168.7.50,192.168.7.999", "'192.168.7.999' is no IPv4 address"),
        ("192.168.7.99,192.168.7.50", "192.168.7.50 is before 192.168.7.99"),
        ("192.168.7.50,192.168.7.99,255.0.255.0", "'255.0.255.0' is no netmask"),
        ("192.168.7.50,192.168.7.99,12x", "'12x' has no meaning there"),
        ("192.168.7.50,192.168.7.99,12h,1d", "'1d' has no meaning there"),
        ("192.168.1.0,proxy,12h", "'12h' has no meaning there"),
        ("192.168.1.0,proxy\nuser=root", "'proxy\\nuser=root' is no IPv4 address"),
        ("fd00::1,fd00::9", "'fd00::1' is no IPv4 address"),
    ],
)
def test_no_range(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_dhcp_range(text)
    assert why in caught.value.message
    assert "proxy" in str(caught.value.hint)


@pytest.mark.parametrize("name", ["eth0", "enx00e04c68181f", "br-lan.7"])
def test_an_interface(name: str) -> None:
    assert check_interface(name) == name


@pytest.mark.parametrize("name", ["", "a/b", "eth0,eth1", "eth0:1", "eth*", "x" * 16, "a b", ".."])
def test_no_interface(name: str) -> None:
    with pytest.raises(UsageError, match="no name of a network interface"):
        check_interface(name)


@pytest.mark.parametrize("path", ["/srv/tftp", "/srv/a b/tftp", "/srv/\u00e4/tftp"])
def test_a_root(path: str) -> None:
    assert check_root(path) == path


def test_a_root_is_absolute() -> None:
    with pytest.raises(UsageError, match="not an absolute path") as caught:
        check_root("~/tftp")
    assert "$HOME" in str(caught.value.hint)


@pytest.mark.parametrize(
    "path", ["/a,b", "/a#b", '/a"b', "/a\\b", "/a\nuser=root", "/a ", "/a\x7f"]
)
def test_a_root_that_dnsmasq_cannot_be_told(path: str) -> None:
    with pytest.raises(UsageError, match="cannot be told the TFTP root"):
        configuration(Served(root=path))
