"""Which addresses the gateway may connect to; a registry entry cannot widen them.

Sources: the IANA special-purpose address registries; the documentation of the metadata services of AWS,
Azure, GCP, Alibaba and Oracle.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address

from bookshelf.discovery.port import Instance

_METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192"))
)
_NAMES = frozenset({"metadata", "metadata.google.internal", "instance-data"})
_PORTS = 65535
Address = IPv4Address | IPv6Address


class AddressPolicy:
    """Decides which addresses may be connected to.

    `anywhere`: no address is refused. `loopback`: addresses of this machine are allowed too.
    """

    def __init__(self, *, anywhere: bool = True, loopback: bool = False) -> None:
        self._anywhere = anywhere
        self._loopback = loopback

    def trouble(self, instance: Instance) -> str | None:
        """Return why no request may be sent to an instance; None if requests may be."""
        if self._anywhere:
            return None
        if not 0 < instance.port <= _PORTS:
            return f"{instance.port} is no port"
        return self.objection(instance.address)

    def objection(self, host: str) -> str | None:
        """Return why a host, given by name or address, may not be connected to; None if it may be."""
        if self._anywhere:
            return None
        name = host.rstrip(".").lower()
        try:
            return self._wrong(ip_address(name))
        except ValueError:
            return self._wrong_name(name)

    def _wrong_name(self, name: str) -> str | None:
        if name in _NAMES:
            return f"{name} is a cloud's metadata service"
        if name.rpartition(".")[2].isdigit() or name.startswith("0x"):
            return f"{name} is another way to write an address"  # resolvers accept 127.1 and 0x7f000001
        if not self._loopback and (name == "localhost" or name.endswith(".localhost")):
            return f"{name} is this machine itself"
        return None

    def _wrong(self, address: Address) -> str | None:
        address = _plain(address)
        if address in _METADATA:
            return f"{address} is a cloud's metadata service"
        if address.is_loopback:
            return None if self._loopback else f"{address} is this machine itself"
        if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
            return f"{address} is no address of a service"
        return f"{address} is no address of a service" if str(address) == "255.255.255.255" else None


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address embeds (mapped or 6to4), else the address itself."""
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address
