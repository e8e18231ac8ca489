"""One try: one request, one instance, one answer or none."""

from bookshelf.http.client.transport import NoResponse, Transport, Unreachable
from bookshelf.http.message import BrokenBody, Request, Response
from gateway.bodies import Upload
from gateway.upstream.arriving import Arriving
from gateway.upstream.call import Call, Clock
from gateway.upstream.deadline import Deadlines
from gateway.upstream.endpoint import Endpoint
from gateway.upstream.patience import Patience
from gateway.upstream.visit import Visit

#: Answers that say that the service is broken; a 503 that says when to come again says that it works.
_BAD = frozenset({500, 502, 503, 504})


class Silent(NoResponse):
    """Nothing came in time."""


class Attempts:
    """Asks, and tells the endpoint how it went."""

    def __init__(self, transport: Transport, patience: Patience, clock: Clock) -> None:
        self._transport = transport
        self._patience = patience
        self._clock = clock
        self._deadlines = Deadlines()

    async def ask(self, endpoint: Endpoint, call: Call) -> Response:
        """Return the answer, its body yet to come. Raises `Unreachable`, `NoResponse`, `BrokenBody`."""
        now = self._clock()
        within_s = self._within(call, now)
        visit = Visit(endpoint, call.pool, now)
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
            answer.body = Arriving(answer.body, self._patience.piece_s, visit, self._clock)
        return answer

    def _within(self, call: Call, now: float) -> float:
        left_s = call.end - now
        if call.repeatable and not call.lost and len(call.pool.endpoints) > len(call.tried):
            return min(left_s, self._patience.try_s)
        return left_s

    async def _send(self, endpoint: Endpoint, request: Request, within_s: float) -> Response:
        upload, instance = request.body, endpoint.instance
        try:
            with self._deadlines.within(within_s) as deadline:
                if isinstance(upload, Upload):
                    upload.put_off(deadline, within_s)
                return await self._transport.send(instance.address, instance.port, request)
        except (NoResponse, TimeoutError, BrokenBody) as fault:
            if isinstance(upload, Upload) and upload.broken is not None:
                raise upload.broken from None  # the client's fault, not the service's
            kind = Silent if isinstance(fault, TimeoutError) else NoResponse
            raise kind(str(fault)) from fault
