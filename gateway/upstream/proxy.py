"""Forwards requests to the endpoints of a pool, with retries and hedging.

Hedging sends a query to a second instance when the first is slow, and uses the response that arrives first.
Source: J. Dean and L. A. Barroso, The Tail at Scale (2013), "hedged requests".
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from bookshelf.http.client.transport import NoResponse, Transport, Unreachable
from bookshelf.http.message import Request, Response, close_body
from bookshelf.http.problem import Problem
from bookshelf.runtime.clock import Ids, SystemClock, SystemIds
from gateway.bodies import discard
from gateway.upstream.attempt import Attempts, NoHead
from gateway.upstream.call import READS, Call, CallFactory, CallTimeouts, Clock, Route, no_answer

Ask = Callable[[], Awaitable[Response]]


async def hedged(ask: Ask, after_s: float, may: Callable[[], bool]) -> Response:
    """Return the first response of one or two calls of `ask`; its error only if the other one failed too.

    The second call starts after `after_s` seconds without a response, if `may` returns True.
    """
    first = asyncio.ensure_future(ask())
    running: set[asyncio.Future[Response]] = {first}
    try:
        done, _ = await asyncio.wait(running, timeout=after_s)
        if not done and may():
            running.add(asyncio.ensure_future(ask()))
        return await _first(running)
    finally:
        await _dropped(running)


async def _first(running: set["asyncio.Future[Response]"]) -> Response:
    while True:
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for attempt in done:
            running.discard(attempt)
            if attempt.exception() is None or not running:
                return attempt.result()


async def _dropped(running: set["asyncio.Future[Response]"]) -> None:
    for attempt in running:
        attempt.cancel()
    for answer in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(answer, Response):
            await close_body(answer.body)


_UNAVAILABLE = 503
#: The most endpoints that one request is sent to.
_TRIES = 4

Pause = Callable[[float], Awaitable[None]]


class Proxy:
    """Sends requests to the endpoints of a pool; repeats one only if it cannot take effect twice."""

    def __init__(
        self,
        transport: Transport,
        timeouts: CallTimeouts,
        pause: Pause = asyncio.sleep,
        clock: Clock = time.monotonic,
        ids: Ids | None = None,
    ) -> None:
        self._calls = CallFactory(timeouts, ids or SystemIds(SystemClock()), clock)
        self._attempts = Attempts(transport, timeouts, clock)
        self._timeouts = timeouts
        self._pause = pause
        self._clock = clock

    async def send(self, request: Request, route: Route, path: Mapping[str, str]) -> Response:
        """Return an endpoint's response. Raises `Problem`: unavailable, bad-gateway, gateway-timeout.

        The request's headers are the gateway's own copy, and are changed. `path`: the values of the path's
        parameters.
        """
        call = self._calls.make(request, route, path)
        began = self._clock()
        call.pool.budget.asked(began)
        answer = await self._hedged(call) if self._timeouts.hedge_s else await self._first(call)
        if answer.status == _UNAVAILABLE:
            answer = await self._again(call, answer, began + self._timeouts.in_all_s)
        if call.is_unknown(answer.status):
            await discard(answer.body)
            raise no_answer(request)
        return answer

    async def _hedged(self, call: Call) -> Response:
        """Return the response to a call, hedged if it is a query and there are two endpoints."""
        if call.request.method not in READS or len(call.pool.endpoints) < 2:  # noqa: PLR2004 (no second one)
            return await self._first(call)
        return await hedged(
            lambda: self._first(call),
            self._timeouts.hedge_s,
            lambda: len(call.tried) == 1 and call.pool.budget.spend(self._clock()),
        )

    async def _again(self, call: Call, answer: Response, end: float) -> Response:
        """Retry a 503 with Retry-After until `end`: a partition may be moving to another owner."""
        for pause_s in self._timeouts.again_s:
            now = self._clock()
            if not _moving(answer) or not call.again or now + pause_s > min(end, call.end):
                break
            if not call.pool.budget.spend(now):
                break
            await discard(answer.body)
            await self._pause(pause_s)
            call.tried.clear()
            answer = await self._first(call)
        return answer

    async def _first(self, call: Call) -> Response:
        """Return the response of the first endpoint that gives one, after failed connections to others."""
        while True:
            endpoint = call.choose(self._clock())
            if endpoint is None or len(call.tried) >= _TRIES:
                raise _nobody(call)
            call.tried.append(endpoint)
            try:
                return await self._attempts.ask(endpoint, call)
            except Unreachable:
                continue  # that endpoint has not seen the request
            except NoResponse as fault:
                now = self._clock()
                if call.lost or not call.repeatable or now >= call.end or not call.pool.budget.spend(now):
                    raise no_answer(call.request) from None
                call.lost = True
                if len(call.pool.endpoints) == 1 and not isinstance(fault, NoHead):
                    call.tried.clear()  # only the connection broke: try the same endpoint again


def _moving(answer: Response) -> bool:
    return answer.status == _UNAVAILABLE and "Retry-After" in answer.headers


def _nobody(call: Call) -> Problem:
    if call.lost:
        return no_answer(call.request)
    if call.tried:
        return Problem(
            "bad-gateway", "no instance of the service accepts connections; the request was not delivered"
        )
    if call.pool.endpoints:
        msg = f"the service ({call.pool.name}) has failed repeatedly and gets no requests now; try again soon"
        return Problem("unavailable", msg)
    return Problem(
        "unavailable", f"no instance of the service ({call.pool.name}) is ready; try again in a moment"
    )
