"""The endpoint of a query route: waits until the view has the caller's positions, queries it, and answers.

Answers are cached: each is rendered once per revision of the view, even if requests overlap.
"""

import asyncio
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec

from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.cqrs.handler import Caller
from bookshelf.cqrs.route import (
    Addressed,
    Answer,
    AnswerPage,
    EventsRoute,
    Overseen,
    Owned,
    OwnedOverseen,
    QueryRoute,
)
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Fault, Problem
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.identity import Callers, admit
from bookshelf.runtime.clock import Clock, SystemClock
from bookshelf.runtime.decoding import Decoder, decoder_of
from bookshelf.runtime.sealing import ApiSeals, is_sealed
from bookshelf.runtime.view.host import ViewHost
from bookshelf.runtime.view.revision_cache import RevisionCache

#: Answers kept, and their bytes in all.
_ENTRIES = 512
_BYTES = 32 << 20


class RenderedResponse(NamedTuple):
    """An answer's body, its entity tag with quotes, the link to the next page, and the items on all pages.

    `sealed`: the body has sealed texts; `at_rest`: see `Answer`.
    """

    body: bytes
    tag: str
    link: str | None
    items: int | None = None
    sealed: bool = False
    at_rest: bool = True


class Viewer(NamedTuple):
    """Whose rows a query is about, and whether it sees all: what its answer depends on beside its target.

    `person` is the one whose texts the answer may have; None for anyone's. `today` is the present day, of a
    route whose answers depend on it.
    """

    owner: str | None = None
    sees_all: bool = False
    person: str | None = None
    today: str = ""


class ResponseCache(RevisionCache[RenderedResponse]):
    """Keeps rendered answers by owner and request target."""

    def __init__(self) -> None:
        super().__init__(_ENTRIES, _BYTES, lambda answer: len(answer.body))


#: Seconds that a query may take in total.
DEADLINE_S = 30.0
_encode = msgspec.json.Encoder().encode
_CSV = "text/csv"


class QueryEndpoint:
    """Answers the requests of one query route. An `Owned` query gets the owner that the caller is."""

    def __init__(
        self,
        route: QueryRoute,
        host: ViewHost,
        callers: Callers,
        seals: ApiSeals | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._seals = seals or ApiSeals()
        self._callers = callers
        self._clock = clock or SystemClock()
        self._personal = issubclass(route.params, Owned | Overseen | Addressed)
        self._route = route
        self._host = host
        self._reader = decoder_of(route.params)
        self._hot = ResponseCache()

    async def __call__(self, request: Request, path: Mapping[str, str]) -> Response:
        """Answer the query. Raises `Problem`, `Refused`, `NotCaughtUp`, `LogFault`, `StorageFault`."""
        caller = admit(self._callers, request, self._route.requires)
        viewer = self._viewer(caller)
        request = _with_format(self._route, request)
        rendered = await self._answer(request, path, viewer)
        kept = "private, no-cache" if self._personal and self._callers.has_accounts else "no-cache"
        headers = {"ETag": rendered.tag, "Cache-Control": kept}
        if self._route.page is not None:
            headers = {"Cache-Control": "no-store", "Vary": "Accept"}  # one address, two answers
        if self._route.tabular:
            headers["Vary"] = "Accept"
        if rendered.link is not None:
            headers["Link"] = rendered.link
        if rendered.items is not None:
            headers[header_fields.COUNT] = str(rendered.items)
        if self._route.waits and (wait_s := header_fields.wait_s(request.headers)) is not None:
            headers[header_fields.APPLIED] = f"wait={wait_s}"
        unchanged = "ETag" in headers and header_fields.unchanged(request.headers, rendered.tag)
        if unchanged and not rendered.sealed:
            return Response(304, headers)
        headers["Content-Type"] = "application/json"
        body = rendered.body
        if rendered.sealed:  # opened for this answer only
            headers["Cache-Control"] = "no-store"
            body = await self._seals.open(body, viewer.person)
        if self._route.page is not None and header_fields.prefers(request.headers, "text/html"):
            return _page_response(self._route.page(body), headers)
        if self._route.tabular and _is_csv(request):
            del headers["ETag"]  # an empty list has the same one as JSON
            return _table_response(body, headers)
        return Response(200, headers, body)

    def _viewer(self, caller: Caller) -> Viewer:
        viewer = viewer_of(self._route, caller)
        if self._route.today is None:
            return viewer
        return viewer._replace(today=self._route.today(self._clock.now()))

    async def _answer(self, request: Request, path: Mapping[str, str], viewer: Viewer) -> RenderedResponse:
        try:
            async with asyncio.timeout(header_fields.time_left(request.headers, DEADLINE_S)):
                if header_fields.to_end(request.headers):
                    await self._host.reach_end()
                elif positions := header_fields.after(request.headers):
                    await self._host.after(positions)
                try:
                    return await self._current(request, path, viewer)
                except NotFound:
                    # it may have been created a moment ago, by a client that does not send positions
                    await self._host.read_on()
                    return await self._current(request, path, viewer)
        except TimeoutError:
            raise Problem("gateway-timeout", "the answer was not found in time; try again") from None

    async def _current(self, request: Request, path: Mapping[str, str], viewer: Viewer) -> RenderedResponse:
        """Return the answer as of now; with a preference to wait, once it is at rest or the time is over."""
        wait_s = header_fields.wait_s(request.headers) if self._route.waits else None
        end = asyncio.get_running_loop().time() + header_fields.waited_s(request.headers, wait_s or 0)
        while True:
            revision = await self._host.current()
            rendered = await self._hot.get(
                (viewer, request.target), revision, lambda: self._render(request, path, viewer)
            )
            if rendered.at_rest or wait_s is None:
                return rendered
            try:
                async with asyncio.timeout_at(end):
                    await self._host.changed(revision)
            except TimeoutError:
                return rendered

    async def _render(self, request: Request, path: Mapping[str, str], viewer: Viewer) -> RenderedResponse:
        params = read_parameters(self._reader, request, path, viewer)

        def work(db: Any) -> RenderedResponse:  # noqa: ANN401 (the storage's connection)
            answer: Answer = self._route.query(db, params)
            body = _encode(answer.body)
            version = answer.version or blake2b(body, digest_size=12).hexdigest()
            link = None if answer.after is None else _next(request.target, answer.after)
            return RenderedResponse(body, f'"{version}"', link, answer.count, is_sealed(body), answer.at_rest)

        return await run_query(self._host, work)


def _page_response(page: AnswerPage, headers: Mapping[str, str]) -> Response:
    safe = {"Content-Security-Policy": page.policy, "X-Content-Type-Options": "nosniff"}
    named = {**headers, **safe, "Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "same-origin"}
    return Response(200, named, page.html.encode())


def _with_format(route: QueryRoute, request: Request) -> Request:
    """Return a request whose address names the format that its Accept prefers, if it names none."""
    if not route.tabular or not header_fields.prefers(request.headers, _CSV):
        return request
    if any(
        name == "format" for name, _ in parse_qsl(request.target.partition("?")[2], keep_blank_values=True)
    ):
        return request
    more = "&" if "?" in request.target else "?"
    return Request(request.method, f"{request.target}{more}format=csv", request.headers, request.body)


def _is_csv(request: Request) -> bool:
    return ("format", "csv") in parse_qsl(request.target.partition("?")[2])


def _table_response(body: bytes, headers: Mapping[str, str]) -> Response:
    text: str = msgspec.json.decode(body, type=str)
    named = {"Content-Type": f"{_CSV}; charset=utf-8", "X-Content-Type-Options": "nosniff"}
    return Response(200, {**headers, **named, "Content-Disposition": "attachment"}, text.encode())


def viewer_of(route: QueryRoute | EventsRoute, caller: Caller) -> Viewer:
    """Return what the answers of a route depend on of a caller: nothing, if its parameters do not."""
    kind = route.params
    owned = issubclass(kind, Owned)
    overseen = issubclass(kind, Overseen | OwnedOverseen)
    sees_all = overseen and bool(route.oversees) and caller.may(route.oversees)
    person = caller.owner if owned and not sees_all else None
    return Viewer(caller.owner if owned or issubclass(kind, Addressed) else None, sees_all, person)


def read_parameters(
    decoder: Decoder, request: Request, path: Mapping[str, str], viewer: Viewer
) -> msgspec.Struct:
    """Return the parameters of a request, with what they need of its viewer. Raises `Problem`."""
    params: msgspec.Struct = decoder.parameters(path, request.target.partition("?")[2])
    if isinstance(params, Owned):
        params = msgspec.structs.replace(params, owner=viewer.owner)
    if isinstance(params, Addressed):
        params = msgspec.structs.replace(params, caller=viewer.owner, today=viewer.today)
    if isinstance(params, Overseen | OwnedOverseen):
        params = msgspec.structs.replace(params, sees_all=viewer.sees_all)
    return params


async def run_query(host: ViewHost, work: Callable[[Any], RenderedResponse]) -> RenderedResponse:
    """Run a query; a wrong parameter becomes a problem. Raises `Problem`, `Refused`, `StorageFault`."""
    try:
        rendered: RenderedResponse = await host.query(work)
    except Invalid as fault:
        detail = f"{fault.field} {fault.detail}"
        raise Problem("invalid", detail, Fault(fault.detail, parameter=fault.field or "")) from None
    return rendered


def _next(target: str, after: str) -> str:
    path, _, query = target.partition("?")
    pairs = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "after"]
    return f'<{path}?{urlencode([*pairs, ("after", after)])}>; rel="next"'
