"""One attempt of a call: a request is sent to one upstream endpoint, and the outcome is recorded there."""

import asyncio
from collections.abc import AsyncIterator

from bookshelf.http.client.transport import NoResponse, Transport, Unreachable
from bookshelf.http.message import BrokenBody, Request, Response, close_body
from gateway.bodies import Upload
from gateway.upstream.call import Call, CallTimeouts, Clock
from gateway.upstream.endpoint import UpstreamEndpoint
from gateway.upstream.pool import Pool
from gateway.upstream.shared_timer import SharedTimer

#: Statuses that count as a failure of the endpoint, except a 503 with Retry-After: that is deliberate.
_BAD = frozenset({500, 502, 503, 504})


class NoHead(NoResponse):
    """No response head arrived within the timeout."""


class Attempts:
    """Sends requests to upstream endpoints and records the outcomes for breakers and outlier detection."""

    def __init__(self, transport: Transport, timeouts: CallTimeouts, clock: Clock) -> None:
        self._transport = transport
        self._timeouts = timeouts
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
            answer = await self._send(endpoint, call.one_more(call.end - now), within_s)
        except (Unreachable, NoResponse):
            attempt.failed(self._clock())
            raise
        except BaseException:  # the client disconnected, or its upload broke off
            attempt.left()
            raise
        attempt.answered(self._clock(), bad=answer.status in _BAD and "Retry-After" not in answer.headers)
        if isinstance(answer.body, bytes):
            attempt.end()
        else:
            answer.body = StreamedBody(answer.body, self._timeouts.piece_s, attempt, self._clock)
        return answer

    def _within(self, call: Call, now: float) -> float:
        left_s = call.end - now
        if call.repeatable and not call.lost and len(call.pool.endpoints) > len(call.tried):
            return min(left_s, self._timeouts.try_s)
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
