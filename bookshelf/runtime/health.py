"""Health, for those who ask (/health) and for discovery, which tells everyone."""

import asyncio
from collections.abc import Callable, Mapping

from bookshelf.discovery.port import Discovery
from bookshelf.runtime.http.message import Request, Response
from bookshelf.runtime.http.problem import Problem

#: Seconds between two looks at one's own health.
_EVERY_S = 0.5
_OK = Response(200, {"Content-Type": "application/json", "Cache-Control": "no-store"}, b'{"status":"pass"}')

Fault = Callable[[], str | None]


async def live(_request: Request, _path: Mapping[str, str]) -> Response:
    """Say that the process answers."""
    return Response(_OK.status, _OK.headers, _OK.body)


class Health:
    """Whether a service can do its work; `fault` says what is wrong, or None."""

    def __init__(self, fault: Fault) -> None:
        self._fault = fault

    async def ready(self, _request: Request, _path: Mapping[str, str]) -> Response:
        """Say that requests are answered as they should be. Raises `Problem`."""
        if self._fault() is not None:
            msg = "not ready; the log says what is missing"
            raise Problem("unavailable", msg)
        return Response(_OK.status, _OK.headers, _OK.body)

    async def report(self, discovery: Discovery, instance_id: str) -> None:
        """Tell discovery whenever health changes, for ever."""
        told: str | None = None
        while True:
            await asyncio.sleep(_EVERY_S)
            fault = self._fault()
            if fault != told:
                await discovery.report(instance_id, fault)
                told = fault
