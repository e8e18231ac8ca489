"""Handler routes: what runs around a handler, in which order, and what it may use."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from support.shelf import DEADLINE_S, DUNE, Shelf
from support.upstream import eventually, never, whole

from bookshelf.cqrs.handler import Caller, HandlerPorts, HandlerRoute, Middleware, Next, RequestContext
from bookshelf.cqrs.position import parse_position
from bookshelf.cqrs.service import Service
from bookshelf.http.message import Request, Response, request
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.handlers import HandlerEndpoint, ServicePorts
from bookshelf.runtime.api.identity import LocalReader
from bookshelf.runtime.openapi import document
from bookshelf.runtime.service import ServiceHost
from bookshelf.shelf.book_list import VIEW
from bookshelf.shelf.book_tables import TABLES

BOOKS = TABLES.tables["booklist_book"]
EVENT_STREAM = {"Content-Type": "text/event-stream"}


class Scoped(LocalReader):
    """A person with these scopes, or a guest."""

    def __init__(self, *scopes: str, account: str | None = "ann") -> None:
        self._caller = Caller(account=account, scopes=frozenset(scopes))

    def of(self, _request: Request) -> Caller:
        return self._caller


async def echo(request: Request, context: RequestContext, _ports: HandlerPorts) -> Response:
    """Answer the values of the path and the body."""
    content = await request.body.read(1 << 30)
    return Response(200, {"Seen": ",".join(context.path.values())}, content)


def ports(shelf: Shelf) -> ServicePorts:
    return ServicePorts("booklist", shelf.infrastructure, shelf.hosts["booklist"].views)


def route(handler: object = echo, **fields: object) -> HandlerRoute:
    return HandlerRoute(path="/things/{id}", summary="A thing", handler=handler, **fields)  # type: ignore[arg-type]


def endpoint(shelf: Shelf, made: HandlerRoute, *middleware: Middleware) -> HandlerEndpoint:
    return HandlerEndpoint(made, ports(shelf), LocalReader(), middleware)


async def test_a_handler_gets_the_time_the_local_reader_and_the_path() -> None:
    seen: list[RequestContext] = []

    async def note(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        seen.append(context)
        assert ports.now() == context.at
        return Response(204, {})

    async with Shelf() as shelf:
        answer = await endpoint(shelf, route(note))(request("GET", "/things/7"), {"id": "7"})
    assert answer.status == 204
    [context] = seen
    assert context.at.tzinfo is UTC
    assert context.caller == Caller(actor="reader", account=None, owner=None, scopes=None, session=None)
    assert context.path == {"id": "7"}


async def test_a_query_with_a_key_is_asked_again_once_the_rows_have_changed() -> None:
    asked: list[int] = []

    def count(db: Any) -> int:  # noqa: ANN401 (the storage's connection)
        asked.append(len(db.execute(select(BOOKS.c.id)).all()))
        return asked[-1]

    async with Shelf() as shelf:
        own = ports(shelf)
        for number in range(3):
            book = await shelf.add(title=f"Dune {number}")
            after = [parse_position(book["position"])]
            assert await own.query(VIEW, count, after, key="books") == number + 1
            for _ in range(3):
                assert await own.query(VIEW, count, key="books") == number + 1
        assert await own.query(VIEW, count, key="other") == 3
        assert await own.query(VIEW, count) == 3
    assert asked == [1, 2, 3, 3, 3]


def marking(mark: str, order: list[str]) -> Middleware:
    async def mark_both_ways(request: Request, _context: RequestContext, onward: Next) -> Response:
        order.append(f"{mark} in")
        response = await onward(request)
        order.append(f"{mark} out")
        return response

    return mark_both_ways


async def test_what_runs_around_a_handler_runs_in_the_documented_order() -> None:
    order: list[str] = []

    class Identity(LocalReader):
        def of(self, request: Request) -> Caller:
            order.append("identity")
            return Scoped("shop:buy").of(request)

    async def handle(request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
        order.append("handler")
        await request.body.read(10)
        return Response(204, {})

    own = route(handle, middleware=(marking("route", order),), requires=("shop:buy",))
    service = (marking("service 1", order), marking("service 2", order))
    async with Shelf() as shelf:
        handler = HandlerEndpoint(own, ports(shelf), Identity(), service)
        await handler(request("POST", "/things/7", b"x"), {"id": "7"})
        inward = ["service 1 in", "service 2 in", "route in"]
        outward = ["route out", "service 2 out", "service 1 out"]
        assert order == ["identity", *inward, "handler", *outward]
        # limits come first: nothing else runs for a request that is too large by its own account
        order.clear()
        with pytest.raises(Exception, match="1048576 bytes at most"):
            await handler(request("POST", "/things/7", b"", Content_Length="9999999"), {"id": "7"})
        assert order == []


async def test_a_caller_without_the_scopes_of_a_route_is_refused_before_any_middleware() -> None:
    order: list[str] = []
    own = route(requires=("shop:manage",), middleware=(marking("route", order),))
    async with Shelf() as shelf:
        few = HandlerEndpoint(own, ports(shelf), Scoped("shop:buy"))
        with pytest.raises(Problem, match="shop:manage") as refusal:
            await few(request("GET", "/things/7"), {"id": "7"})
    assert refusal.value.kind == "forbidden"
    assert order == []


async def test_a_middleware_may_answer_in_place_of_the_handler() -> None:
    async def refuse(_request: Request, _context: RequestContext, _onward: Next) -> Response:
        return Response(418, {})

    async with Shelf() as shelf:
        handler = endpoint(shelf, route(), refuse)
        assert (await handler(request("GET", "/things/7"), {"id": "7"})).status == 418


class Pieces:
    """A body that arrives piece by piece, without a declared length."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)

    async def read(self, _limit: int) -> bytes:
        raise AssertionError("handlers read within the limit of their route")

    async def stream(self) -> AsyncIterator[bytes]:
        while self.parts:
            yield self.parts.pop(0)


async def test_a_body_arrives_unread_and_beyond_the_limit_of_its_route_it_is_refused() -> None:
    def asked(*parts: bytes) -> Request:
        made = request("POST", "/things/7")
        made.body = Pieces(*parts)
        return made

    async with Shelf() as shelf:
        handler = endpoint(shelf, route(body_bytes=4))
        assert (await handler(asked(b"ab", b"cd"), {})).body == b"abcd"
        long = asked(b"ab", b"cd", b"e", b"never read")
        with pytest.raises(Exception, match="4 bytes at most"):
            await handler(long, {})


async def test_a_handler_that_takes_too_long_is_answered_as_an_unknown_outcome() -> None:
    async def wait(request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
        return await never(request)

    async with Shelf() as shelf:
        with pytest.raises(Problem) as problem:
            await endpoint(shelf, route(wait, deadline_s=0.001))(request("GET", "/things/7"), {})
    assert problem.value.kind == "gateway-timeout"


async def test_a_handler_queries_a_view_of_its_service_once_that_has_the_positions() -> None:
    def titles(db: object) -> list[str]:
        return [row.title for row in db.execute(select(BOOKS.c.title))]  # type: ignore[attr-defined]

    async def list_titles(request: Request, _context: RequestContext, ports: HandlerPorts) -> Response:
        after = [parse_position(request.headers["Bookshelf-After"])]
        return Response(200, {}, ",".join(await ports.query(VIEW, titles, after)).encode())

    async with Shelf() as shelf:
        book = await shelf.add(**DUNE)
        asked = request("GET", "/things/7", Bookshelf_After=book["position"])
        assert (await endpoint(shelf, route(list_titles))(asked, {})).body == b"Dune"


async def endless() -> AsyncIterator[bytes]:
    yield b"data: 1\n\n"
    await asyncio.Event().wait()


async def test_a_stream_of_events_ends_when_its_instance_leaves() -> None:
    async def live(_request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
        return Response(200, EVENT_STREAM, endless())

    async with Shelf() as shelf, asyncio.timeout(DEADLINE_S):
        handler = endpoint(shelf, route(live))
        response = await handler(request("GET", "/things/7"), {})
        assert not isinstance(response.body, bytes)
        assert await anext(response.body) == b"data: 1\n\n"
        handler.close()
        assert await anext(response.body, None) is None


async def test_any_other_stream_is_sent_to_its_end() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    async def export(_request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
        return Response(200, {"Content-Type": "application/zip"}, parts())

    async with Shelf() as shelf:
        handler = endpoint(shelf, route(export))
        response = await handler(request("GET", "/things/7"), {})
        handler.close()
        assert await whole(response) == b"ab"


async def test_an_answer_to_head_names_the_length_and_closes_a_stream() -> None:
    closed: list[bool] = []

    async def parts() -> AsyncIterator[bytes]:
        try:
            yield b"never sent"
        finally:
            closed.append(True)

    async def download(_request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
        content = parts()
        await anext(content)
        return Response(200, {"Content-Length": "10"}, content)

    async with Shelf() as shelf:
        host = ServiceHost(page_service(route(download)), shelf.infrastructure, "127.0.0.1", 8086)
        answer = await host.api.handle(request("HEAD", "/things/7"))
    assert (answer.headers["Content-Length"], answer.body, closed) == ("10", b"", [True])


def page_service(*routes: HandlerRoute, **fields: object) -> Service:
    return Service(
        name="site",
        summary="Pages",
        tags=("site",),
        port=8086,
        runs=(),
        serves=routes,
        root="/",
        **fields,  # type: ignore[arg-type]
    )


async def error_page(request: Request, problem: Problem) -> Response:
    return Response(404 if problem.kind == "no-route" else 500, {}, f"{request.target}: {problem}".encode())


async def test_a_service_of_pages_answers_problems_with_its_own_page() -> None:
    async def fail(_request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
        raise Problem("unavailable", "not now")

    async def broken(_request: Request, _problem: Problem) -> Response:
        raise ValueError("a defect of the error page")

    async with Shelf() as shelf:
        host = ServiceHost(
            page_service(route(fail), error_page=error_page), shelf.infrastructure, "127.0.0.1", 8086
        )
        await host.start()
        assert (await host.api.handle(request("GET", "/things/7"))).body == b"/things/7: not now"
        unknown = await host.api.handle(request("GET", "/nowhere"))
        assert unknown.status == 404
        await host.stop()
        plain = ServiceHost(
            page_service(route(fail), error_page=broken), shelf.infrastructure, "127.0.0.1", 8086
        )
        assert (await plain.api.handle(request("GET", "/things/7"))).status == 503


async def test_a_task_of_a_service_gets_its_ports_and_is_started_again_after_a_fault(tmp_path: Path) -> None:
    runs: list[str] = []
    ended = asyncio.Event()

    async def work(ports: HandlerPorts) -> None:
        runs.append(ports.folder)
        if len(runs) == 1:
            raise OSError("the first run fails")
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with Shelf() as shelf, asyncio.timeout(DEADLINE_S):
        infrastructure = replace(shelf.infrastructure, folder=tmp_path)
        host = ServiceHost(page_service(tasks=(work,)), infrastructure, "127.0.0.1", 8086)
        await host.start()
        await eventually(lambda: len(runs) > 1)
        await host.stop()
    assert runs == [str(tmp_path / "site")] * 2
    assert ended.is_set()


async def test_the_error_page_of_a_refused_form_may_read_what_was_typed_and_no_handler_runs() -> None:
    async def show(request: Request, problem: Problem) -> Response:
        return Response(403, {"Kind": problem.kind}, await request.body.read(1 << 30))

    async with Shelf() as shelf:
        made = page_service(route(method="POST", body_bytes=11), error_page=show)
        host = ServiceHost(made, shelf.infrastructure, "127.0.0.1", 8086)
        form = request("POST", "/things/7", b"review=long", Bookshelf_Refused="cross-origin")
        answer = await host.api.handle(form)
        assert (answer.status, answer.headers["Kind"], answer.body) == (403, "cross-origin", b"review=long")
        too_long = request("POST", "/things/7", b"review=longer", Bookshelf_Refused="cross-origin")
        assert (await host.api.handle(too_long)).headers["Content-Type"] == "application/problem+json"


def test_pages_are_no_part_of_the_api_documents_and_other_handlers_are() -> None:
    made = page_service(route())
    assert document(made)["paths"] == {}
    assert document(made)["x-bookshelf"]["root"] == "/"
    assert "page_deadlines_s" not in document(made)["x-bookshelf"]
    slow = page_service(route(deadline_s=600.0))
    assert document(slow)["x-bookshelf"]["page_deadlines_s"] == {"/things/{id}": 600.0}
    [operation] = document(replace(made, root=None))["paths"]["/things/{id}"].values()
    assert [parameter["name"] for parameter in operation["parameters"]] == ["id"]
