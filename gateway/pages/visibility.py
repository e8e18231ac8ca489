"""Who may see what is not for everyone: instances, breakers, metrics."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from bookshelf.http.message import Request

#: A request that has one of these came by way of a proxy. Unless that is a trusted one, which has named the
#: client, the peer says nothing of the client.
_PROXIED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
Address = IPv4Address | IPv6Address
_WORDS: dict[str, Callable[[Address], bool]] = {
    "loopback": lambda address: address.is_loopback,
    "private": lambda address: address.is_loopback or address.is_private or address.is_link_local,
}


class Visibility:
    """Admits clients by address: `loopback`, `private`, `anyone`, `nobody`, addresses, networks; with commas.

    A request of this very process has no address, and is admitted. Raises ValueError for anything else.
    """

    def __init__(self, who: str = "loopback") -> None:
        self.who = who
        names = {name.strip() for name in who.split(",")} - {"", "nobody"}
        self._anyone = "anyone" in names
        self._tests = [_WORDS[name] for name in names & _WORDS.keys()]
        self._networks = [_network(name) for name in names - _WORDS.keys() - {"anyone"}]

    def admits(self, request: Request) -> bool:
        """Return True if this may be shown to the client of the request."""
        if self._anyone:
            return True
        if not request.resolved and any(name in request.headers for name in _PROXIED):
            return False
        if not request.peer:
            return bool(self._tests or self._networks)
        try:
            peer = ip_address(request.peer.partition("%")[0])
        except ValueError:
            return False
        peer = getattr(peer, "ipv4_mapped", None) or peer
        return any(test(peer) for test in self._tests) or any(peer in network for network in self._networks)


def _network(name: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(name, strict=False)
    except ValueError:
        msg = f"{name!r} is not loopback, private, anyone, nobody, an address, or a network like 10.0.0.0/8"
        raise ValueError(msg) from None
