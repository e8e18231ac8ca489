"""The network of a client: the gateway's limits and the guesses at passwords count by it."""

import pytest

from bookshelf.http.client_network import network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("", None),
        ("nonsense", None),
    ],
)
def test_a_network_is_an_ipv4_address_or_an_ipv6_64(address: str, network: str | None) -> None:
    assert network_of(address) == network
