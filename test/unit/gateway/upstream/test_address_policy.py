"""Addresses that the gateway never connects to, whatever a registry lists."""

import msgspec
import pytest
from support.openapi_documents import at

from gateway.upstream.address_policy import AddressPolicy


def refused(host: str, *, loopback: bool = False, port: int = 80) -> bool:
    one = msgspec.structs.replace(at("i", "t"), address=host, port=port)
    return AddressPolicy(anywhere=False, loopback=loopback).trouble(one) is not None


@pytest.mark.parametrize("host", ["10.1.2.3", "192.168.0.7", "8.8.8.8", "fd12::7", "books.example", "node-7"])
def test_addresses_in_private_and_public_networks_are_allowed(host: str) -> None:
    assert not refused(host)


@pytest.mark.parametrize(
    "host",
    [
        *("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "metadata.google.internal", "METADATA."),
        *("169.254.1.1", "fe80::1", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1"),
        *("0.0.0.0", "::"),  # noqa: S104 (refused, not listened on)
        *("::ffff:169.254.169.254", "2002:a9fe:a9fe::", "127.1", "2130706433", "0x7f000001", "0x7f.1"),
    ],
)
@pytest.mark.parametrize("loopback", [True, False])
def test_reserved_addresses_are_refused(host: str, loopback: bool) -> None:  # noqa: FBT001 (both)
    assert refused(host, loopback=loopback)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.9.9.9", "::1", "localhost", "x.localhost", "::ffff:127.0.0.1"]
)
def test_loopback_addresses_are_allowed_only_by_the_setting(host: str) -> None:
    assert refused(host)
    assert not refused(host, loopback=True)


@pytest.mark.parametrize("port", [0, -1, 65536, 1 << 40])
def test_an_invalid_port_is_refused(port: int) -> None:
    assert refused("10.1.2.3", port=port)


def test_in_one_process_all_addresses_are_allowed() -> None:
    assert AddressPolicy().trouble(at("i", "t")) is None
