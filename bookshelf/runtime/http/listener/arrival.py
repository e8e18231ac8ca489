"""One request as it comes in from a connection."""

from typing import TYPE_CHECKING

from multidict import CIMultiDict

from bookshelf.runtime.http.listener.incoming import Incoming
from bookshelf.runtime.http.message import Body, Bytes, Request
from bookshelf.runtime.http.problem import Problem

if TYPE_CHECKING:
    from bookshelf.runtime.http.listener.tunnel import Tunnel

_EMPTY = Bytes()


class Arrival:
    """Its head, and its body as far as it has come; or the problem that is said instead, the last word.

    `body`: None for none. `minor`: of HTTP/1. `kept`: whether the client means to send another.
    """

    __slots__ = ("body", "headers", "kept", "method", "minor", "refusal", "target")

    def __init__(
        self, method: str, target: str, minor: int, headers: CIMultiDict[str], *, kept: bool
    ) -> None:
        self.method = method
        self.target = target
        self.minor = minor
        self.headers = headers
        self.kept = kept
        self.body: Incoming | Tunnel | None = None
        self.refusal: Problem | None = None

    def request(self, peer: str, *, secure: bool) -> Request:
        """Return it as handlers know it: a body that is here whole is bytes."""
        body: Body = _EMPTY if self.body is None else self.body
        if isinstance(body, Incoming) and body.whole:
            body = Bytes(body.taken())
        return Request(self.method, self.target, self.headers, body, peer, secure)

    @property
    def uninvited(self) -> bool:
        """Whether the client still waits to be told that its body is wanted."""
        return isinstance(self.body, Incoming) and self.body.uninvited


def refused(problem: Problem) -> Arrival:
    """Return what stands for a request that was not understood."""
    arrival = Arrival("", "", 1, CIMultiDict(), kept=False)
    arrival.refusal = problem
    return arrival
