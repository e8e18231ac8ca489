"""The part of the admin API for services: dead letters, rebuilds of views, the HTTP API for operators."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
import structlog

from bookshelf.cqrs.envelope import DROPPED, Dropped, Envelope, encode_envelope
from bookshelf.cqrs.handler import INTERNAL, Caller
from bookshelf.cqrs.position import Position, parse_position
from bookshelf.http.message import Request, Response, request
from bookshelf.http.problem import Problem
from bookshelf.log.port import NewRecord
from bookshelf.runtime.api.endpoint import Api
from bookshelf.runtime.api.identity import OPERATOR, ApiOfCaller
from bookshelf.runtime.decoding import Decoder
from bookshelf.runtime.infrastructure import Infrastructure
from bookshelf.runtime.metrics import Meters
from bookshelf.runtime.process.operations import ProcessLetterOperations
from bookshelf.runtime.service import ServiceHost
from bookshelf.runtime.view import dead_letters
from bookshelf.runtime.view.host import ViewHost

#: What targets of the whole HTTP API begin with.
API = "/bookshelf/"
#: Bytes of a request's body.
_MAX_BODY = 1 << 16
_encode = msgspec.json.Encoder().encode
_logger = structlog.get_logger(__name__)


class Step(msgspec.Struct, frozen=True):
    """The progress of long work: `done` of `total`. The last one is `ended`, with a `fault` if it failed."""

    done: int
    total: int
    ended: bool = False
    fault: str | None = None


class Progress:
    """Runs work that reports (done, total), and streams its progress; only the newest report is kept."""

    def __init__(self, work: Callable[[Callable[[int, int], None]], Awaitable[None]]) -> None:
        self._work = work
        self._newest = Step(0, 0)
        self._news = asyncio.Event()

    def _report(self, done: int, total: int) -> None:
        self._newest = Step(done, total)
        self._news.set()

    async def _run(self) -> None:
        fault = None
        try:
            await self._work(self._report)
        except Exception as raised:
            _logger.exception("long-work-failed")
            fault = str(raised)
        self._newest = Step(self._newest.done, self._newest.total, ended=True, fault=fault)
        self._news.set()

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield a line of JSON for each report. The work goes on even if the client disconnects."""
        task = asyncio.create_task(self._run())
        while True:
            await self._news.wait()
            self._news.clear()
            step = self._newest
            yield msgspec.json.encode(step) + b"\n"
            if step.ended:
                await task
                return


class DeadLetterFilter(msgspec.Struct, forbid_unknown_fields=True):
    """Selects dead letters: by view or process, by key, or by position; without any of them all."""

    view: str | None = None
    process: str | None = None
    key: str | None = None
    position: str | None = None


_read_filter = Decoder(DeadLetterFilter).body


class ServiceOperations:
    """Answers the requests of operators to the services of one process."""

    def __init__(self, services: Sequence[ServiceHost], infrastructure: Infrastructure) -> None:
        self._infrastructure = infrastructure
        self._views = {name: view for service in services for name, view in service.views.items()}
        log, clock, ids = infrastructure.log, infrastructure.clock, infrastructure.ids
        self._processes = {
            name: ProcessLetterOperations(host.process, log, clock, ids)
            for service in services
            for name, host in service.processes.items()
        }
        routes = (route for service in services for route in service.service.serves)
        self._scopes = frozenset(scope for route in routes for scope in route.requires or ()) - {*INTERNAL}
        self._api = Api("control", Meters())
        self._api.add("GET", "/letters", self._listed)
        self._api.add("POST", "/letters/retry", self._retry)
        self._api.add("POST", "/letters/drop", self._drop)
        self._api.add("POST", "/views/{name}/rebuild", self._rebuild)

    async def handle(self, request: Request) -> Response:
        """Answer a request; `AdminApi` has checked its token."""
        if request.target.startswith(API):
            return await self._as_operator(request)
        return await self._api.handle(request)

    async def _as_operator(self, given: Request) -> Response:
        """Pass a request on for a caller with every scope that a route of these services requires."""
        content = await given.body.read(_MAX_BODY)
        caller = Caller(actor=OPERATOR, account=OPERATOR, owner=OPERATOR, scopes=self._scopes)
        sent = request(given.method, given.target, content, Content_Type="application/json")
        return await ApiOfCaller(self._infrastructure.api, self._infrastructure.callers, caller).handle(sent)

    def _view(self, name: str) -> ViewHost:
        try:
            return self._views[name]
        except KeyError:
            msg = f"there is no view {name}; there are {', '.join(sorted(self._views))}"
            raise Problem("not-found", msg) from None

    def _process(self, name: str) -> ProcessLetterOperations:
        try:
            return self._processes[name]
        except KeyError:
            names = ", ".join(sorted(self._processes)) or "none"
            raise Problem("not-found", f"there is no process {name}; there are {names}") from None

    def _chosen(self, chosen: DeadLetterFilter) -> tuple[list[ViewHost], list[ProcessLetterOperations]]:
        views = [self._view(chosen.view)] if chosen.view else []
        processes = [self._process(chosen.process)] if chosen.process else []
        if views or processes:
            return views, processes
        return list(self._views.values()), list(self._processes.values())

    async def _listed(self, _request: Request, _path: Mapping[str, str]) -> Response:
        views = [letter for view in self._views.values() for letter in await dead_letters.listed(view.rows)]
        processes = [letter for process in self._processes.values() for letter in await process.listed()]
        return _json([*views, *processes])

    async def _retry(self, request: Request, _path: Mapping[str, str]) -> Response:
        chosen = await _filter(request)
        views, processes = self._chosen(chosen)
        applied = [await dead_letters.retry(view.rows, chosen.key) for view in views]
        applied += [await process.retry(chosen.key) for process in processes]
        return _json({"applied": sum(applied)})

    async def _drop(self, request: Request, _path: Mapping[str, str]) -> Response:
        chosen = await _filter(request)
        position = parse_position(chosen.position or "")
        if chosen.process:
            return _json({"dropped": int(await self._process(chosen.process).drop(position))})
        found = {view: await dead_letters.find(view.rows, position) for view in self._views.values()}
        known = [letter for letter in found.values() if letter is not None]
        if known and all(letter.behind for letter in known):
            msg = f"{position} waits behind an earlier record of {known[0].key}; drop or retry that one first"
            raise Problem("conflict", msg)
        if known:
            dropped = await drop(self._infrastructure, known[0].key, position)
            for view in found:
                await view.after([dropped])
        return _json({"dropped": len(known)})

    async def _rebuild(self, _request: Request, path: Mapping[str, str]) -> Response:
        view = self._view(path["name"])
        return Response(200, {"Content-Type": "application/jsonl"}, Progress(view.rebuild).stream())


async def _filter(request: Request) -> DeadLetterFilter:
    chosen: DeadLetterFilter = _read_filter(await request.body.read(_MAX_BODY))
    return chosen


def _json(value: Any) -> Response:  # noqa: ANN401 (anything that can be encoded)
    return Response(200, {"Content-Type": "application/json"}, _encode(value))


async def drop(infrastructure: Infrastructure, key: str, position: Position) -> Position:
    """Append that the record of this key at a position is given up; return the position of that.

    Raises `LogFault`.
    """
    writer = await infrastructure.log.writer(OPERATOR, position.topic, position.partition)
    try:
        (offset,) = await writer.append([NewRecord(key, _drop_event(infrastructure, key, position))])
    finally:
        await writer.close()
    return Position(position.topic, position.partition, offset)


def _drop_event(infrastructure: Infrastructure, key: str, position: Position) -> bytes:
    envelope = Envelope(
        specversion="1.0",
        datacontenttype="application/json",
        id=infrastructure.ids.new(),
        source=OPERATOR,
        type=DROPPED,
        subject=key,
        time=infrastructure.clock.now(),
        data=msgspec.Raw(msgspec.json.encode(Dropped(position.offset))),
        actor=OPERATOR,
    )
    return encode_envelope(envelope)
