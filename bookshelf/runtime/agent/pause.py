"""Admits requests to the services of a node, or answers them `reloading` while a rollout pauses them."""

import asyncio
from collections.abc import Callable, Collection, Mapping

from bookshelf.http.message import Request, Response, with_field
from bookshelf.http.problem import Problem
from bookshelf.runtime.agent.gate import Admissions, Gate, NotDrained, admission_of
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.api.endpoint import Endpoint
from bookshelf.runtime.api.header_fields import REVISION

#: Is called with the rollout that a service is paused for, and with None when it resumes.
NotePause = Callable[[str | None], None]


class ServiceGate(Gate):
    """Counts the requests to one service, and checks the revision and the policy of each.

    `revision` returns the revision of the service here. `note_pause` is called when a pause begins or ends.
    """

    def __init__(
        self,
        service: str,
        policy: PolicyGate,
        revision: Callable[[str], int],
        admissions: Admissions,
        note_pause: NotePause = lambda _rollout: None,
    ) -> None:
        super().__init__(service, admissions)
        self.policy = policy
        self._revision = revision
        self._note_pause = note_pause

    def pause(self, rollout: str, services: Collection[str] | None) -> None:
        """Refuse new requests, except those that are a part of one which waits for the end of this pause."""
        super().pause(rollout, services)
        self._note_pause(rollout)

    def resume(self) -> None:
        """Admit new requests."""
        super().resume()
        self._note_pause(None)

    async def around(
        self, endpoint: Endpoint, template: str, request: Request, path: Mapping[str, str]
    ) -> Response:
        """Return the response of an endpoint, unless the service is paused or at another revision.

        Raises `Problem` reloading, which is sent again, or what the endpoint raises.
        """
        given = admission_of(request)
        if self.paused is not None and not self.admits(given):
            raise self.reloading()
        revision = self._revision(self.name)
        known = request.headers.get(REVISION)
        if known is not None and known.isascii() and known.isdigit() and int(known[:18]) > revision:
            raise Problem("reloading", f"{self.name} is at revision {revision} here; ask another instance")
        # without a policy nothing more runs around it: each call here is one for every request
        with self.counted(f"{request.method} {template}", given):
            try:
                if self.policy.policy is None:
                    response = await endpoint(request, path)
                else:
                    response = await self.policy.around(endpoint, template, request, path)
            except Problem as problem:
                problem.headers[REVISION] = str(revision)  # a refusal is of this revision, too
                raise
        response.headers = with_field(response.headers, REVISION, str(revision))
        return response


class Pause:
    """The gates of the services of a node, and of its gateway."""

    def __init__(self, gates: Mapping[str, Gate]) -> None:
        self.gates = dict(gates)
        self._refused: tuple[str, Collection[str] | None] | None = ("", None)

    def add(self, gate: Gate) -> None:
        """Take one more service, which is paused if the others are."""
        self.gates[gate.name] = gate
        if self._refused is not None and (self._refused[1] is None or gate.name in self._refused[1]):
            gate.pause(*self._refused)
        else:
            gate.resume()

    def refuse(self, rollout: str, services: Collection[str] | None = None) -> None:
        """Refuse new requests to these services, None for all."""
        self._refused = (rollout, services)
        for name, gate in self.gates.items():
            if services is None or name in services:
                gate.pause(rollout, services)

    def close(self) -> None:
        """Refuse all new requests to what is paused, whatever they are a part of."""
        for gate in self._paused():
            gate.close()

    def admit(self) -> None:
        """Admit requests to all services."""
        self._refused = None
        for gate in self.gates.values():
            gate.resume()

    def _paused(self) -> list[Gate]:
        return [gate for gate in self.gates.values() if gate.paused is not None]

    async def drain(self, within_s: float) -> None:
        """Return once no request to what is paused is in progress. Raises `NotDrained`."""
        paused = self._paused()
        try:
            async with asyncio.timeout(within_s):
                while busy := [gate for gate in paused if gate.busy]:
                    await busy[0].drain()
        except TimeoutError:
            routes = sorted(f"{gate.name}: {route}" for gate in paused for route in gate.active)
            raise NotDrained(f"in progress after {within_s:g} s: {', '.join(routes)}") from None
