"""Asks an instance, and another where that is safe, and says clearly when none answers."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bookshelf.discovery.port import Instance
from bookshelf.runtime.edge.conditions import KEY
from bookshelf.runtime.http.message import BrokenBody, Bytes, Request, Response
from bookshelf.runtime.http.problem import Problem
from bookshelf.runtime.http.transport import NoAnswer, Transport, Unreachable
from gateway.bodies import Paced, Upload, discard
from gateway.upstream.pool import Pool

_READS = frozenset({"GET", "HEAD"})
_UNAVAILABLE = 503
#: Instances that one request is brought to at the most.
_TRIES = 4

Pause = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long to wait, in seconds.

    For the first byte of an answer and for each piece after it; before a request that a service could not
    take just now is sent again, once for each; and in all, after which it is not sent again: as long as a
    partition may take to move, and no longer than a query waits for its view, which is waited for once.
    """

    answer_s: float = 30.0
    piece_s: float = 30.0
    again_s: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    in_all_s: float = 2.0


class Proxy:
    """Sends requests to the instances of a pool. A request is sent twice only where nothing is done twice."""

    def __init__(self, transport: Transport, patience: Patience, pause: Pause = asyncio.sleep) -> None:
        self._transport = transport
        self._patience = patience
        self._pause = pause

    async def send(self, request: Request, pool: Pool) -> Response:
        """Return an instance's answer. Raises `Problem`: unavailable, bad-gateway, gateway-timeout."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._patience.in_all_s
        answer = await self._first(request, pool)
        for pause_s in self._patience.again_s:
            if not _moving(answer) or not _repeatable(request) or loop.time() + pause_s > end:
                break
            await discard(answer.body)
            await self._pause(pause_s)
            answer = await self._first(request, pool)
        return answer

    async def _first(self, request: Request, pool: Pool) -> Response:
        """Return the answer of the first instance that gives one."""
        instances = pool.in_turn()
        if not instances:
            msg = f"no instance of the service ({', '.join(pool.tags)}) is ready; try again in a moment"
            raise Problem("unavailable", msg)
        lost = False
        for instance in instances[:_TRIES]:
            try:
                return await self._one(request, instance)
            except Unreachable:
                continue  # not seen by that one, so it is new to the next
            except NoAnswer:
                if lost or request.method not in _READS or not isinstance(request.body, Bytes):
                    raise _no_answer(request) from None
                lost = True
        if lost:
            raise _no_answer(request)
        raise Problem("bad-gateway", "no instance of the service takes connections; the request was not seen")

    async def _one(self, request: Request, instance: Instance) -> Response:
        patience_s, upload = self._patience.answer_s, request.body
        try:
            async with asyncio.timeout(patience_s) as deadline:
                if isinstance(upload, Upload):
                    upload.put_off(deadline, patience_s)
                answer = await self._transport.send(instance.address, instance.port, request)
        except (NoAnswer, TimeoutError, BrokenBody) as fault:
            if isinstance(upload, Upload) and upload.broken is not None:
                raise upload.broken from None  # the client's fault, not the service's
            raise NoAnswer(str(fault)) from fault
        if not isinstance(answer.body, bytes):
            answer.body = Paced(answer.body, self._patience.piece_s)
        return answer


def _moving(answer: Response) -> bool:
    return answer.status == _UNAVAILABLE and "Retry-After" in answer.headers


def _repeatable(request: Request) -> bool:
    return isinstance(request.body, Bytes) and (request.method in _READS or KEY in request.headers)


def _no_answer(request: Request) -> Problem:
    if request.method in _READS:
        return Problem("gateway-timeout", "the service did not answer; try again")
    msg = "the service did not answer, so whether this was done is not known; "
    return Problem("gateway-timeout", msg + f"send it again with the same {KEY}, if it had one")
