"""The health of a service: answers /health requests and reports changes to service discovery."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from bookshelf.discovery.port import Discovery
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem

#: Seconds between two checks of the service's own health.
_EVERY_S = 0.5
_HEADERS = {"Content-Type": "application/health+json", "Cache-Control": "no-store"}

Fault = Callable[[], str | None]
Warnings = Callable[[], list[str]]


async def live(_request: Request, _path: Mapping[str, str]) -> Response:
    """Answer a liveness check: the process runs and answers."""
    return _status("pass")


def _status(status: str) -> Response:
    return Response(200, dict(_HEADERS), b'{"status":"%s"}' % status.encode())


class Health:
    """The readiness of a service: `fault` returns why it is not ready, `warnings` what is degraded.

    Source of the words pass, warn: draft-inadarei-api-health-check.
    """

    def __init__(self, fault: Fault, warnings: Warnings) -> None:
        self._fault = fault
        self._warnings = warnings
        self._reported: str | None = None
        self._registered = False

    @contextmanager
    def registration(self) -> Iterator[None]:
        """Let the service be ready for a block, in which discovery has it.

        Outside, no gateway finds it, so a rolling update must not go on to the next instance.
        """
        self._registered = True
        try:
            yield
        finally:
            self._registered = False

    async def ready(self, _request: Request, _path: Mapping[str, str]) -> Response:
        """Answer a readiness check. Raises `Problem` if the service is not ready."""
        if self._fault() is not None or not self._registered:
            msg = "not ready; the service's log has the reason"
            raise Problem("unavailable", msg)
        return _status("warn" if self._warnings() else "pass")

    async def report(self, discovery: Discovery, instance_id: str) -> None:
        """Report the health to discovery whenever it changes, until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.tell(discovery, instance_id)

    async def tell(self, discovery: Discovery, instance_id: str, *, registered: bool = False) -> None:
        """Report the health if it differs from the last report.

        A registration resets the health in discovery to good: pass `registered` after one.
        """
        fault, reported = self._fault(), None if registered else self._reported
        self._reported = fault  # before the report, so that a registration meanwhile reports it once more
        if fault != reported:
            await discovery.report(instance_id, fault)
