"""Admits requests to the services of a node, or answers them `reloading` while a rollout pauses them.

A request that was admitted may call other services of the process: such a nested request is neither refused
nor counted, so that no drain waits for itself.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar

from multidict import CIMultiDict

from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.api.endpoint import Endpoint
from bookshelf.runtime.api.header_fields import REVISION

_admitted: ContextVar[bool] = ContextVar("admitted", default=False)


class NotDrained(Exception):
    """Requests are still in progress when the time is over; the message names their routes."""


class ServiceGate:
    """Counts the requests to one service, and checks the revision and the policy of each.

    `revision` returns the revision of the service here.
    """

    def __init__(self, service: str, policy: PolicyGate, revision: Callable[[str], int]) -> None:
        self.service = service
        self.policy = policy
        self._revision = revision
        #: Why requests are refused, None if they are admitted: the open rollout, or empty without one.
        self.paused: str | None = ""
        self.changing: Collection[str] = ()
        self.active = Counter[str]()
        self.idle = asyncio.Event()
        self.idle.set()

    async def around(
        self, endpoint: Endpoint, template: str, request: Request, path: Mapping[str, str]
    ) -> Response:
        """Return the response of an endpoint, unless the service is paused or at another revision.

        Raises `Problem` reloading, which is sent again, or what the endpoint raises.
        """
        if _admitted.get():
            return await self.policy.around(endpoint, template, request, path)
        if self.paused is not None:
            raise self._reloading(self.paused)
        revision = self._revision(self.service)
        known = request.headers.get(REVISION, "")
        if known.isascii() and known.isdigit() and int(known[:18]) > revision:
            raise Problem("reloading", f"{self.service} is at revision {revision} here; ask another instance")
        route = f"{request.method} {template}"
        self.active[route] += 1
        self.idle.clear()
        token = _admitted.set(True)
        try:
            response = await self.policy.around(endpoint, template, request, path)
        finally:
            _admitted.reset(token)
            self._done(route)
        headers = response.headers = CIMultiDict(response.headers)
        headers[REVISION] = str(revision)
        return response

    def _done(self, route: str) -> None:
        self.active[route] -= 1
        if not self.active[route]:
            del self.active[route]
        if not self.active:
            self.idle.set()

    def _reloading(self, rollout: str) -> Problem:
        if not rollout:
            return Problem("reloading", "this node is joining its domain; try again", Retry_After="1")
        services = ", ".join(sorted(self.changing)) or self.service
        detail = f"paused for rollout {rollout}, which changes {services}; try again"
        return Problem("reloading", detail, Retry_After="1", Bookshelf_Rollout=rollout)


class Pause:
    """The gates of the services of a node."""

    def __init__(self, gates: Mapping[str, ServiceGate]) -> None:
        self.gates = dict(gates)
        self._refused: tuple[str, Collection[str] | None] | None = ("", None)

    def add(self, gate: ServiceGate) -> None:
        """Take one more service, which is paused if the others are."""
        self.gates[gate.service] = gate
        gate.paused = None
        if self._refused is not None:
            rollout, services = self._refused
            if services is None or gate.service in services:
                gate.paused, gate.changing = rollout, services or ()

    def refuse(self, rollout: str, services: Collection[str] | None = None) -> None:
        """Refuse new requests to these services, None for all."""
        self._refused = (rollout, services)
        for name, gate in self.gates.items():
            if services is None or name in services:
                gate.paused, gate.changing = rollout, services or ()

    def admit(self) -> None:
        """Admit requests to all services."""
        self._refused = None
        for gate in self.gates.values():
            gate.paused = None

    async def drain(self, within_s: float) -> None:
        """Return once no request to a paused service is in progress. Raises `NotDrained`."""
        paused = [gate for gate in self.gates.values() if gate.paused is not None]
        try:
            async with asyncio.timeout(within_s):
                for gate in paused:
                    await gate.idle.wait()
        except TimeoutError:
            routes = sorted(f"{gate.service}: {route}" for gate in paused for route in gate.active)
            raise NotDrained(f"in progress after {within_s:g} s: {', '.join(routes)}") from None
