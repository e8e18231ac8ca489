"""The gate of a service or of a gateway: it admits requests, or refuses them while a rollout pauses it.

In a rollout, a request that is admitted carries Bookshelf-Admitted from then on, also to the calls that it
leads to: a list of signed names, `NAME.TIME.HMAC` each, of the gates that have admitted it. A gate that is
paused lets it pass if one of these is paused for the same rollout, because that one waits for the request to
end. So no drain waits for itself, and requests that nothing waits for are refused.
"""

import asyncio
import hmac
import re
import time
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar, Token
from typing import NamedTuple

from multidict import CIMultiDict

from bookshelf.http.client import Transport
from bookshelf.http.message import Handler, Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.endpoint import Endpoint
from bookshelf.runtime.api.header_fields import ADMITTED

#: The gates that have admitted the request which this task answers.
_admitted: "ContextVar[Passed | None]" = ContextVar("admitted", default=None)
#: Seconds for which an admission counts: longer than any request has time.
_VALID_S = 180
#: The most names of a list: calls that are nested deeper are not admitted.
_MOST = 8
_ONE = re.compile(r"([A-Za-z0-9_-]{1,100})\.([0-9]{1,12})\.([0-9a-f]{32})", re.ASCII)


class Admissions:
    """Signs the names of gates, and reads lists of them. `now` returns the seconds since 1970.

    `is_needed` returns False while no gate can be paused before the calls of this process have ended: no
    service is paused before all nodes have read that a rollout is open.
    """

    def __init__(self, key: bytes, now: Callable[[], float] = time.time) -> None:
        self._key = key
        self._now = now
        self.is_needed: Callable[[], bool] = lambda: True
        #: The last signature of each name: it is made once a second.
        self._made: dict[str, tuple[int, str]] = {}

    def add(self, given: str, name: str) -> str:
        """Return the list with one more name."""
        moment = int(self._now())
        made = self._made.get(name)
        if made is None or made[0] != moment:
            made = self._made[name] = (moment, f"{name}.{moment}.{self._digest(name, str(moment))}")
        return f"{given},{made[1]}" if given else made[1]

    def names(self, given: str) -> frozenset[str]:
        """Return the names of a list that are signed, and not too old."""
        texts = given.split(",", _MOST) if given else []
        found = (match for text in texts[:_MOST] if (match := _ONE.fullmatch(text)) is not None)
        return frozenset(match[1] for match in found if self._counts(match))

    def _counts(self, match: re.Match[str]) -> bool:
        is_fresh = abs(self._now() - int(match[2])) <= _VALID_S
        return is_fresh and hmac.compare_digest(self._digest(match[1], match[2]), match[3])

    def _digest(self, name: str, moment: str) -> str:
        return hmac.digest(self._key, f"{name}\n{moment}".encode(), "sha256").hex()[:32]


class Passed(NamedTuple):
    """What has admitted a request: the gates that its header names, and one of this process, if any."""

    given: str
    name: str = ""
    admissions: Admissions | None = None


def admissions_now() -> str:
    """Return the gates that a call made now is to carry, as in the header field; empty if none is needed."""
    passed = _admitted.get()
    if passed is None:
        return ""
    if passed.admissions is None or not passed.admissions.is_needed():
        return passed.given
    return passed.admissions.add(passed.given, passed.name)


def admission_of(request: Request) -> str:
    """Return the gates that have admitted a request, as a list that is not verified yet."""
    return request.headers.get(ADMITTED) or admissions_now()


class NotDrained(Exception):
    """Requests are still in progress when the time is over; the message names their routes."""


class Gate:
    """Counts the requests in progress, by route, and knows whether new ones are admitted."""

    def __init__(self, name: str, admissions: Admissions) -> None:
        self.name = name
        self._admissions = admissions
        #: Why requests are refused, None if they are admitted: the open rollout, or empty without one.
        self.paused: str | None = ""
        #: The services that the rollout changes; None for all.
        self.changing: Collection[str] | None = ()
        #: True if requests are refused also if a paused gate has admitted them.
        self.is_closed = False
        #: The requests in progress: how many there are, and by route. A route that had some stays.
        self.busy = 0
        self.counts: dict[str, int] = {}
        self.drained: asyncio.Event | None = None

    def pause(self, rollout: str, services: Collection[str] | None) -> None:
        """Refuse new requests, except those that are a part of one which waits for the end of this pause."""
        self.paused, self.changing, self.is_closed = rollout, services, not rollout

    def close(self) -> None:
        """Refuse all new requests: every gate of the domain is drained, or has to be."""
        self.is_closed = True

    def resume(self) -> None:
        """Admit new requests."""
        self.paused, self.changing, self.is_closed = None, (), False

    def admits(self, given: str) -> bool:
        """Return True if a request that these gates have admitted may pass."""
        if self.paused is None:
            return True
        if self.is_closed or not given:
            return False
        names = self._admissions.names(given)
        return bool(names) if self.changing is None else not names.isdisjoint(self.changing)

    def counted(self, route: str, given: str) -> "CountedRequest":
        """Count a request until the block ends. `given`: the gates that have admitted it before."""
        return CountedRequest(self, route, Passed(given, self.name, self._admissions))

    @property
    def active(self) -> list[str]:
        """The routes that have requests in progress."""
        return [route for route, count in self.counts.items() if count]

    async def drain(self) -> None:
        """Return once no request is in progress."""
        while self.busy:
            # one is made when it is waited for: the count falls to nothing with every other request
            self.drained = self.drained or asyncio.Event()
            await self.drained.wait()

    def reloading(self) -> Problem:
        """Return the problem of a request that is refused."""
        if not self.paused:
            return Problem("reloading", "this node is joining its domain; try again", Retry_After="1")
        services = ", ".join(sorted(self.changing or ())) or "all services"
        detail = f"paused for rollout {self.paused}, which changes {services}; try again"
        return Problem("reloading", detail, Retry_After="1", Bookshelf_Rollout=self.paused)


class CountedRequest:
    """Counts a request in progress while its block runs.

    It is one for every request: a generator, or a call for each step, would take twice as long.
    """

    __slots__ = ("_gate", "_passed", "_route", "_token")
    _token: "Token[Passed | None]"

    def __init__(self, gate: Gate, route: str, passed: Passed) -> None:
        self._gate = gate
        self._route = route
        self._passed = passed

    def __enter__(self) -> None:
        """Count it; from now on its calls carry what has admitted it, this gate included."""
        gate, route = self._gate, self._route
        gate.busy += 1
        gate.counts[route] = gate.counts.get(route, 0) + 1
        self._token = _admitted.set(self._passed)

    def __exit__(self, *_fault: object) -> None:
        """Count it no more."""
        _admitted.reset(self._token)
        gate = self._gate
        gate.counts[self._route] -= 1
        gate.busy -= 1
        if gate.drained is not None and not gate.busy:
            gate.drained.set()
            gate.drained = None


async def carry_admission(
    endpoint: Endpoint, _template: str, request: Request, path: Mapping[str, str]
) -> Response:
    """Return the response of an endpoint, whose own requests carry what has admitted this one.

    It runs around the endpoints of a process whose gates are in another one.
    """
    token = _admitted.set(Passed(request.headers.get(ADMITTED, "")))
    try:
        return await endpoint(request, path)
    finally:
        _admitted.reset(token)


class AdmittedTransport:
    """Sends requests as another transport does, with the gates that have admitted what leads to them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def send(self, address: str, port: int, request: Request) -> Response:
        """Return the response. Raises `Unreachable`, `NoResponse`."""
        _carry(request)
        return await self._transport.send(address, port, request)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()


class AdmittedApi:
    """The whole HTTP API, whose requests carry the gates that have admitted what leads to them."""

    def __init__(self, api: Handler) -> None:
        self._api = api

    async def handle(self, request: Request) -> Response:
        """Return the response. Raises `Unreachable`, `NoResponse`."""
        _carry(request)
        return await self._api.handle(request)


def _carry(request: Request) -> None:
    if given := admissions_now():
        headers = request.headers = CIMultiDict(request.headers)
        headers[ADMITTED] = given
