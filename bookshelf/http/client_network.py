"""The network of a client, by which requests and guesses are counted."""

from ipaddress import IPv6Address, ip_address, ip_network

#: An IPv6 client can use any address of its network of this prefix length.
_OWN_BITS = 64


def network_of(address: str) -> str | None:
    """Return an IPv4 address, or the network of an IPv6 one; None for a text that is no address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((int(found), _OWN_BITS), strict=False))
    return str(found)
