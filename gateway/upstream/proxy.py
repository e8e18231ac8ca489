"""Forwards requests to the endpoints of a pool, with retries and hedging; an endpoint records each attempt.

Hedging sends a query to a second instance when the first is slow, and uses the response that arrives first.
Source: J. Dean and L. A. Barroso, The Tail at Scale (2013), "hedged requests".
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from bookshelf.concurrency import SharedTimer
from bookshelf.http.client import NoResponse, Transport, Unreachable
from bookshelf.http.message import BrokenBody, Request, Response, close_body
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.header_fields import REVISION
from bookshelf.runtime.clock import Ids, SystemClock, SystemIds
from gateway.bodies import Upload, discard
from gateway.upstream.call import READS, Call, CallFactory, CallTimeouts, Clock, Route, no_answer
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pool

#: Statuses that count as a failure of the endpoint, except a 503 with Retry-After: that is deliberate.
_BAD = frozenset({500, 502, 503, 504})


class NoHead(NoResponse):
    """No response head arrived within the timeout."""


class Attempts:
    """Sends requests to upstream endpoints and records the outcomes for breakers and outlier detection."""

    def __init__(self, transport: Transport, timeouts: CallTimeouts, clock: Clock) -> None:
        self._transport = transport
        self.timeouts = timeouts
        self._clock = clock
        self._deadlines = SharedTimer()

    async def ask(self, endpoint: UpstreamEndpoint, call: Call) -> Response:
        """Send a call to an endpoint; return the response as soon as its head is there.

        Raises `Unreachable`, `NoResponse`, `BrokenBody`.
        """
        now = self._clock()
        within_s = self._within(call, now)
        attempt = Attempt(endpoint, call.pool, now)
        try:
            answer = await self._send(endpoint, call.one_more(endpoint, call.end - now), within_s)
        except (Unreachable, NoResponse):
            attempt.failed(self._clock())
            raise
        except BaseException:  # the client disconnected, or its upload broke off
            attempt.left()
            raise
        call.pool.absence.ended()
        if (revision := answer.headers.get(REVISION)) is not None:
            endpoint.revision.learn(revision)
        attempt.answered(self._clock(), bad=answer.status in _BAD and "Retry-After" not in answer.headers)
        if isinstance(answer.body, bytes):
            attempt.end()
        else:
            answer.body = StreamedBody(answer.body, self.timeouts.piece_s, attempt, self._clock)
        return answer

    def _within(self, call: Call, now: float) -> float:
        left_s = call.end - now
        if call.repeatable and not call.lost and len(call.pool.endpoints) > len(call.tried):
            return min(left_s, self.timeouts.try_s)
        return left_s

    async def _send(self, endpoint: UpstreamEndpoint, request: Request, within_s: float) -> Response:
        upload, instance = request.body, endpoint.instance
        try:
            with self._deadlines.within(within_s) as deadline:
                if isinstance(upload, Upload):
                    upload.put_off(deadline, within_s)
                return await self._transport.send(instance.address, instance.port, request)
        except (NoResponse, TimeoutError, BrokenBody) as fault:
            if isinstance(upload, Upload) and upload.broken is not None:
                raise upload.broken from None  # the client's fault, not the service's
            kind = NoHead if isinstance(fault, TimeoutError) else NoResponse
            raise kind(str(fault)) from fault


class Attempt:
    """Counts one request at an endpoint until it ends.

    The caller records the outcome once, by `answered`, `failed` or `left`, and calls `end` after the body.
    """

    __slots__ = ("_began", "_ended", "_endpoint", "_pool", "_probe", "_trial")

    def __init__(self, endpoint: UpstreamEndpoint, pool: Pool, now: float) -> None:
        self._endpoint = endpoint
        self._pool = pool
        self._began = now
        self._trial = endpoint.breaker.enter(now)
        self._probe = endpoint.ejection.enter(now)
        self._ended = False
        endpoint.outstanding += 1

    def answered(self, now: float, *, bad: bool) -> None:
        """Record that a response has begun. `bad`: its status counts as a failure."""
        endpoint = self._endpoint
        endpoint.breaker.succeeded(trial=self._trial)
        endpoint.took(now - self._began)
        peers = self._pool.endpoints
        self._pool.outliers.answered(endpoint, now, bad=bad, trial=self._probe, peers=peers)
        self._trial = self._probe = False

    def failed(self, now: float) -> None:
        """Record that there was no response, or an incomplete one; end the attempt."""
        self._endpoint.breaker.failed(now, trial=self._trial)
        self._endpoint.ejection.left(trial=self._probe)
        self._trial = self._probe = False
        self.end()

    def left(self) -> None:
        """Record that the caller abandoned the attempt, which is no failure of the endpoint; end it."""
        self._endpoint.breaker.left(trial=self._trial)
        self._endpoint.ejection.left(trial=self._probe)
        self._trial = self._probe = False
        self.end()

    def end(self) -> None:
        """Stop counting the attempt as outstanding. A second call does nothing."""
        if not self._ended:
            self._ended = True
            self._endpoint.outstanding -= 1


class StreamedBody:
    """A response body with a timeout for each piece, counted from the read of that piece.

    The attempt ends when the body ends, breaks off or is closed.
    """

    __slots__ = ("_attempt", "_clock", "_patience_s", "_pieces")

    def __init__(
        self, pieces: AsyncIterator[bytes], patience_s: float, attempt: Attempt, clock: Clock
    ) -> None:
        self._pieces = pieces
        self._patience_s = patience_s
        self._attempt = attempt
        self._clock = clock

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return itself: there is one reader."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece. Raises `BrokenBody`."""
        try:
            async with asyncio.timeout(self._patience_s):
                return await anext(self._pieces)
        except StopAsyncIteration:
            self._attempt.end()
            raise
        except BrokenBody:
            self._attempt.failed(self._clock())
            raise
        except TimeoutError:
            self._attempt.failed(self._clock())
            msg = f"nothing more of the answer came for {self._patience_s:g} s"
            raise BrokenBody(msg) from None

    async def aclose(self) -> None:
        """Close the body and end the attempt."""
        self._attempt.end()
        await close_body(self._pieces)

    def __del__(self) -> None:
        """End the attempt if the response was dropped without being read."""
        self._attempt.end()


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
#: Values of Retry-After after which it is worth to wait; a service that is closed names more seconds.
_SOON = frozenset({"0", "1", "2"})
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

    @property
    def timeouts(self) -> CallTimeouts:
        """The timeouts of calls."""
        return self._timeouts

    @timeouts.setter
    def timeouts(self, timeouts: CallTimeouts) -> None:
        """Use other timeouts, also for calls that are under way."""
        self._timeouts = self._calls.timeouts = self._attempts.timeouts = timeouts

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
            refused = began if request.method in READS else self._clock()
            answer = await self._again(call, answer, refused + self._timeouts.in_all_s)
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
            call.begin_round()
            answer = await self._first(call)
        return answer

    async def _first(self, call: Call) -> Response:
        """Return the response of the first endpoint that gives one, after failed connections to others."""
        while True:
            endpoint = call.choose(self._clock())
            if endpoint is None or len(call.tried) >= _TRIES:
                if not await self._held(call):
                    raise _nobody(call)
                continue
            call.tried.append(endpoint)
            try:
                answer = await self._attempts.ask(endpoint, call)
                if call.lost_onward or not call.is_onward(answer.status) or not self._may_repeat(call):
                    return answer
                call.lost_onward = True
                await discard(answer.body)
                await self._wait(call)
            except Unreachable:
                continue  # that endpoint has not seen the request
            except NoResponse as fault:
                if call.lost or not self._may_repeat(call):
                    raise no_answer(call.request) from None
                call.lost = True
                if len(call.pool.endpoints) == 1 and not isinstance(fault, NoHead):
                    # only the connection broke: try the same endpoint again, but not while its process, which
                    # may be ending, still has a listener that accepts what it will never read
                    await self._wait(call)

    def _may_repeat(self, call: Call) -> bool:
        """Return True if a lost attempt is repeated; this takes it out of the retry budget."""
        now = self._clock()
        return call.repeatable and now < call.end and call.pool.budget.spend(now)

    async def _wait(self, call: Call) -> None:
        """Pause before a repetition, in which instances and owners may change."""
        await self._pause(min(self._timeouts.away_pause_s, max(call.end - self._clock(), 0.0)))
        call.begin_round()

    async def _held(self, call: Call) -> bool:
        """Wait a moment for a service that is away; return False if the request is not to be held any more.

        No instance has seen the request, or it is repeatable. So this takes nothing out of the retry budget.
        """
        now, absence, pause_s = self._clock(), call.pool.absence, self._timeouts.away_pause_s
        end = min(call.end, absence.until(now, self._timeouts.away_s))
        if not call.may_be_held:
            return False
        if now + pause_s > end:
            absence.refuse()
            return False
        with absence.hold(self._clock, first=not call.held):
            call.held = True
            await self._pause(pause_s)
        call.begin_round()
        return True


def _moving(answer: Response) -> bool:
    return answer.status == _UNAVAILABLE and answer.headers.get("Retry-After") in _SOON


def _nobody(call: Call) -> Problem:
    if call.is_lost:
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
