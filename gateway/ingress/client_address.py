"""Resolves the client address of a request, and restricts the status and the metrics to some addresses.

The client is the peer, or the client that a trusted proxy reports.
Sources: RFC 7239 (Forwarded); the older X-Forwarded-For, -Proto and -Host.
"""

import re
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from multidict import CIMultiDict

from bookshelf.http.client_network import network_of
from bookshelf.http.message import Headers, Request
from gateway.headers import HOST

#: The most proxies in the chain of a request, and the most peers whose trust is cached.
_MOST_HOPS = 16
_MOST_PEERS = 4096
_PAIR = re.compile(r'\s*([a-zA-Z]+)=(?:"([^"]*)"|([^\s;,"]*))\s*')
_SCHEMES = frozenset({"http", "https"})


class TrustedProxies:
    """The addresses and networks of proxies whose forwarding headers are used."""

    def __init__(self, trusted: Iterable[str] = ()) -> None:
        self._trusted: tuple[IPv4Network | IPv6Network, ...] = tuple(
            ip_network(network, strict=False) for network in trusted
        )
        self._known: dict[str, bool] = {}

    def resolve(self, request: Request) -> Request:
        """Return the request with the client's address, scheme and host, if a trusted proxy forwarded it."""
        if not self._trusted or not self._trusts(request.peer):
            return request
        forwarded = request.headers.getall("Forwarded", ())
        if forwarded:
            return self._by_forwarded(request, ",".join(forwarded))
        return self._by_older(request)

    def _by_older(self, request: Request) -> Request:
        headers = request.headers
        chain = ",".join(headers.getall("X-Forwarded-For", ())).split(",")[-_MOST_HOPS:]
        names = [name.strip() for name in chain if name.strip()]
        at, client = self._client(names, request.peer)
        # each trusted proxy sets these, or passes them on from another trusted one: the last value counts
        scheme, host = _last(headers, "X-Forwarded-Proto"), _last(headers, "X-Forwarded-Host")
        return _with_client(request, client, scheme, host, resolved=at < len(names))

    def _by_forwarded(self, request: Request, value: str) -> Request:
        hops = [
            {name.lower(): quoted or bare for name, quoted, bare in _PAIR.findall(hop)}
            for hop in value.split(",")[-_MOST_HOPS:]
        ]
        at, client = self._client([hop.get("for", "") for hop in hops], request.peer)
        client_hop = hops[at] if at < len(hops) else {}
        proto, host = client_hop.get("proto", ""), client_hop.get("host", "")
        return _with_client(request, client, proto, host, resolved=at < len(hops))

    def _client(self, chain: list[str], peer: str) -> tuple[int, str]:
        """Return index and address of the last hop that is not a trusted proxy; earlier ones are ignored."""
        at, client = len(chain), peer
        for place in range(len(chain) - 1, -1, -1):
            address = _address(chain[place])
            if address is None or (_is_loopback(address) and not _is_loopback(peer)):
                break  # a loopback hop behind a remote peer is forged by a client
            at, client = place, address
            if not self._trusts(address):
                break
        return at, client

    def _trusts(self, peer: str) -> bool:
        trusted = self._known.get(peer)
        if trusted is None:
            if len(self._known) >= _MOST_PEERS:
                self._known.clear()
            trusted = self._known[peer] = self._looked_up(peer)
        return trusted

    def _looked_up(self, peer: str) -> bool:
        try:
            address = ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        return any((mapped or address) in network for network in self._trusted)


def client_key(peer: str) -> str:
    """Return the key for per-client limits: an IPv4 address, or the network of an IPv6 address."""
    return peer if ":" not in peer else network_of(peer) or peer


def _with_client(request: Request, client: str, scheme: str, host: str, *, resolved: bool) -> Request:
    secure = scheme == "https" if scheme in _SCHEMES else request.secure
    headers = request.headers
    if HOST.fullmatch(host):
        headers = CIMultiDict(headers)
        headers["Host"] = host
    return Request(request.method, request.target, headers, request.body, client, secure, resolved=resolved)


def _is_loopback(name: str) -> bool:
    try:
        address = ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _address(name: str) -> str | None:
    """Return the address of a hop without its port; None if it is obfuscated or malformed."""
    bare = name.strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return str(ip_address(bare))
    except ValueError:
        return None


def _last(headers: Headers, name: str) -> str:
    return ",".join(headers.getall(name, ())).rpartition(",")[2].strip()


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
