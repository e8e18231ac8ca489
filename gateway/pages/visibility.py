"""Restricts the status and the metrics to clients with certain addresses."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from bookshelf.http.message import Request

#: A request with one of these was forwarded by a proxy. Unless the proxy is trusted, so that the client
#: address is resolved, the peer is not the client.
_PROXIED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")
#: The value of the setting that admits no client.
NONE_ADMITTED = "nobody"
Address = IPv4Address | IPv6Address
_WORDS: dict[str, Callable[[Address], bool]] = {
    "loopback": lambda address: address.is_loopback,
    "private": lambda address: address.is_loopback or address.is_private or address.is_link_local,
}


class Visibility:
    """Admits clients by address, as the setting `gateway_status` lists them, separated by commas.

    An item is `loopback`, `private`, `anyone`, an address or a network; `NONE_ADMITTED` admits no client. A
    request from this process itself has no address, and is admitted unless no client is. Raises ValueError.
    """

    def __init__(self, who: str = "loopback") -> None:
        self.who = who
        names = {name.strip() for name in who.split(",")} - {"", NONE_ADMITTED}
        self._anyone = "anyone" in names
        self._tests = [_WORDS[name] for name in names & _WORDS.keys()]
        self._networks = [_network(name) for name in names - _WORDS.keys() - {"anyone"}]

    def admits(self, request: Request) -> bool:
        """Return True if the client of the request may see the page."""
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
        words = ", ".join((*_WORDS, "anyone", NONE_ADMITTED))
        msg = f"{name!r} is not {words}, an address, or a network like 10.0.0.0/8"
        raise ValueError(msg) from None
