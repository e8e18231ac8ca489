"""Who may see what is not for everyone: instances, breakers, metrics."""

from ipaddress import ip_address
from typing import Literal

from bookshelf.runtime.http.message import Request

Who = Literal["loopback", "private", "anyone", "nobody"]
#: A request that has one of these came by way of a proxy, so its peer says nothing of who asks.
_PROXIED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP")


class Inside:
    """Admits by the address that a request comes from; one of this very process has none, and is admitted."""

    def __init__(self, who: Who) -> None:
        self._who = who

    def admits(self, request: Request) -> bool:
        """Whether this may be shown to whoever asks."""
        if self._who in {"anyone", "nobody"}:
            return self._who == "anyone"
        if any(name in request.headers for name in _PROXIED):
            return False
        if not request.peer:
            return True
        try:
            peer = ip_address(request.peer.partition("%")[0])
        except ValueError:
            return False
        peer = getattr(peer, "ipv4_mapped", None) or peer
        return peer.is_loopback or (self._who == "private" and (peer.is_private or peer.is_link_local))
