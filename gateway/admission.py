"""The gateway's gate in a domain: while a rollout pauses the gateway, new requests wait for its end.

They wait before their bodies are read. Their number is limited, so that requests to the services of the
domain itself, such as the commit of the rollout, find room beside them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus

from bookshelf.http.message import BytesBody, Request, Response
from bookshelf.runtime.agent.gate import Admissions, Gate, admission_of
from gateway.ingress.middleware import ConcurrencyLimiter
from gateway.tunnels import Tunnels
from gateway.upstream.call import Route
from gateway.upstream.waits import Waits

#: The name of the gate in lists of admissions. No service has it.
NAME = "gateway"
#: The first tag of the services that no rollout pauses.
_NEVER_PAUSED = "cluster"
#: The most bytes of the bodies of waiting requests that have arrived already.
WAITING_BYTES = 64 << 20


class GatewayGate(Gate):
    """Admits requests, or lets them wait while the gateway is paused.

    `limiter` has the settings: at most half of `most`, and at most `queue` requests wait, each for at most
    `wait_s` seconds. `waits` counts them.
    """

    def __init__(
        self, admissions: Admissions, limiter: ConcurrencyLimiter, most_bytes: int = WAITING_BYTES
    ) -> None:
        super().__init__(NAME, admissions)
        self._limiter = limiter
        self._most_bytes = most_bytes
        self._resumed = asyncio.Event()
        self.waits = Waits()
        self._tunnels = Tunnels()
        self.waiting_bytes = 0

    def pause(self, rollout: str, services: Collection[str] | None) -> None:
        """Let new requests wait, except those that are a part of one which waits for this pause to end."""
        super().pause(rollout, services)
        self._resumed.clear()
        if rollout:
            self._tunnels.notify(f"reloading {rollout}")

    def resume(self) -> None:
        """Admit the requests that wait, and new ones."""
        if self.paused:
            self._tunnels.notify("resumed")
        super().resume()
        self._resumed.set()

    async def around(
        self, request: Request, route: Route, answer: Callable[[], Awaitable[Response]]
    ) -> Response:
        """Return the answer to a request, once it is admitted. Raises `Problem` reloading."""
        endpoints = route.pool.endpoints
        if endpoints and endpoints[0].instance.tags[:1] == (_NEVER_PAUSED,):
            return await answer()
        given = admission_of(request)
        if given and not self._admissions.names(given):
            given = ""  # a client's invention
        if not self.admits(given):
            await self._wait(request)
        with self.counted(f"{request.method} {route.template}", given):
            response = await answer()
        if response.status == HTTPStatus.SWITCHING_PROTOCOLS and not isinstance(response.body, bytes):
            response.body = self._tunnels.follow(response.body)
        return response

    async def _wait(self, request: Request) -> None:
        """Wait for the end of the pause. Raises `Problem` reloading if it takes too long."""
        limiter, waits = self._limiter, self.waits
        size = len(request.body.content) if isinstance(request.body, BytesBody) else 0
        is_full = waits.now >= min(limiter.queue, limiter.most // 2)
        if is_full or size > self._most_bytes - self.waiting_bytes:
            waits.refused += 1
            raise self.reloading()
        self.waiting_bytes += size
        try:
            with waits.hold(asyncio.get_running_loop().time):
                async with asyncio.timeout(limiter.wait_s):
                    while self.paused is not None:
                        await self._resumed.wait()
        except TimeoutError:
            waits.refused += 1
            raise self.reloading() from None
        finally:
            self.waiting_bytes -= size
