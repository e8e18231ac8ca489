"""Health, for those who ask (/health) and for discovery, which tells everyone."""

import asyncio
from collections.abc import Callable, Mapping

from bookshelf.discovery.port import Discovery
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem

#: Seconds between two looks at one's own health.
_EVERY_S = 0.5
_HEADERS = {"Content-Type": "application/health+json", "Cache-Control": "no-store"}

Fault = Callable[[], str | None]
Warnings = Callable[[], list[str]]


async def live(_request: Request, _path: Mapping[str, str]) -> Response:
    """Say that the process answers."""
    return _said("pass")


def _said(status: str) -> Response:
    return Response(200, dict(_HEADERS), b'{"status":"%s"}' % status.encode())


class Health:
    """Whether a service can do its work: `fault` says why not, `warnings` what it does worse than it should.

    Source of the words pass, warn: draft-inadarei-api-health-check.
    """

    def __init__(self, fault: Fault, warnings: Warnings) -> None:
        self._fault = fault
        self._warnings = warnings
        self._told: str | None = None

    async def ready(self, _request: Request, _path: Mapping[str, str]) -> Response:
        """Say that requests are answered as they should be. Raises `Problem`."""
        if self._fault() is not None:
            msg = "not ready; the log says what is missing"
            raise Problem("unavailable", msg)
        return _said("warn" if self._warnings() else "pass")

    async def report(self, discovery: Discovery, instance_id: str) -> None:
        """Tell discovery whenever health changes, for ever."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await self.tell(discovery, instance_id)

    async def tell(self, discovery: Discovery, instance_id: str, *, registered: bool = False) -> None:
        """Tell discovery what it does not know yet. `registered`: just now; who registers is taken for well.

        It is noted before it is told: who registers meanwhile tells it once more.
        """
        fault, told = self._fault(), None if registered else self._told
        self._told = fault
        if fault != told:
            await discovery.report(instance_id, fault)
