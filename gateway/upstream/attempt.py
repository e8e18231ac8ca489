"""One try: one request, one instance, one answer or none."""

import asyncio
from collections.abc import AsyncIterator

from bookshelf.http.client.transport import NoResponse, Transport, Unreachable
from bookshelf.http.message import BrokenBody, Request, Response, close_body
from gateway.bodies import Upload
from gateway.upstream.call import Call, CallTimeouts, Clock
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pool
from gateway.upstream.shared_timer import SharedTimer

#: Answers that say that the service is broken; a 503 that says when to come again says that it works.
_BAD = frozenset({500, 502, 503, 504})


class NoHead(NoResponse):
    """Nothing came in time."""


class Attempts:
    """Asks, and tells the endpoint how it went."""

    def __init__(self, transport: Transport, patience: CallTimeouts, clock: Clock) -> None:
        self._transport = transport
        self._patience = patience
        self._clock = clock
        self._deadlines = SharedTimer()

    async def ask(self, endpoint: UpstreamEndpoint, call: Call) -> Response:
        """Return the answer, its body yet to come. Raises `Unreachable`, `NoResponse`, `BrokenBody`."""
        now = self._clock()
        within_s = self._within(call, now)
        visit = Attempt(endpoint, call.pool, now)
        try:
            answer = await self._send(endpoint, call.one_more(call.end - now), within_s)
        except (Unreachable, NoResponse):
            visit.failed(self._clock())
            raise
        except BaseException:  # the client has gone, or broke off
            visit.left()
            raise
        visit.answered(self._clock(), bad=answer.status in _BAD and "Retry-After" not in answer.headers)
        if isinstance(answer.body, bytes):
            visit.end()
        else:
            answer.body = StreamedBody(answer.body, self._patience.piece_s, visit, self._clock)
        return answer

    def _within(self, call: Call, now: float) -> float:
        left_s = call.end - now
        if call.repeatable and not call.lost and len(call.pool.endpoints) > len(call.tried):
            return min(left_s, self._patience.try_s)
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
    """Told how it went by `answered`, `failed` or `left`; then ended, if nothing more comes, by `end`."""

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
        """Note that an answer has begun."""
        one = self._endpoint
        one.breaker.succeeded(trial=self._trial)
        one.took(now - self._began)
        peers = self._pool.endpoints
        self._pool.outliers.answered(one, now, bad=bad, trial=self._probe, peers=peers)
        self._trial = self._probe = False

    def failed(self, now: float) -> None:
        """Note that no answer came, or not all of it; and end."""
        self._endpoint.breaker.failed(now, trial=self._trial)
        self._endpoint.ejection.left(trial=self._probe)
        self._trial = self._probe = False
        self.end()

    def left(self) -> None:
        """Note that it was given up by whoever asked; and end."""
        self._endpoint.breaker.left(trial=self._trial)
        self._endpoint.ejection.left(trial=self._probe)
        self._trial = self._probe = False
        self.end()

    def end(self) -> None:
        """Count it no more."""
        if not self._ended:
            self._ended = True
            self._endpoint.outstanding -= 1


class StreamedBody:
    """A body of which each piece must come in time, counted from when it is asked for.

    The visit lasts until its end, its break, or until it is let go.
    """

    __slots__ = ("_clock", "_patience_s", "_pieces", "_visit")

    def __init__(self, pieces: AsyncIterator[bytes], patience_s: float, visit: Attempt, clock: Clock) -> None:
        self._pieces = pieces
        self._patience_s = patience_s
        self._visit = visit
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
            self._visit.end()
            raise
        except BrokenBody:
            self._visit.failed(self._clock())
            raise
        except TimeoutError:
            self._visit.failed(self._clock())
            msg = f"nothing more of the answer came for {self._patience_s:g} s"
            raise BrokenBody(msg) from None

    async def aclose(self) -> None:
        """Let go of what it comes from."""
        self._visit.end()
        await close_body(self._pieces)

    def __del__(self) -> None:
        """End the visit of an answer that was dropped before anyone read it."""
        self._visit.end()
