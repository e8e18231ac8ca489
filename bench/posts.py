"""Measures durable POSTs: a response is 201 after its event is fsynced."""

import asyncio
import re
import time
from pathlib import Path

import msgspec

from bench import sample_books
from bench.connection import ask, connect
from bench.load import Load
from bench.measurement import BenchFault, Measurement, Plan, Sample
from bench.server import Server, server
from bench.wire import get, post

#: The number of different books in the requests.
_BOOKS = 1000
#: Seconds within which the list must show all acknowledged books.
_CATCH_UP_S = 120.0
_NEXT = re.compile(r"<([^>]+)>; rel=\"next\"")


class _Id(msgspec.Struct):
    id: str


def posted(prefix: str = "") -> list[bytes]:
    """Return requests that add books."""
    return [post(f"{prefix}/books", sample_books.book(number)) for number in range(_BOOKS)]


async def _run(plan: Plan, folder: Path) -> Sample:
    async with server(folder / "shelf") as shelf:
        service, gateway = shelf.services["newbook"], shelf.gateway
        loads = Load(posted(), 201), Load(posted("/bookshelf"), 201), Load(posted(), 201)
        figures = {
            "service": await loads[0].run(service, plan.connections, plan.seconds),
            "gateway": await loads[1].run(gateway, plan.connections, plan.seconds),
            "one connection": await loads[2].run(service, 1, plan.seconds),
        }
        acknowledged = sum(load.answered for load in loads)
        figures["views"] = {"behind_s": await _all_there(shelf, acknowledged)}
    return Sample(
        figures, {"synchronous": "FULL: an fsync before each answer", "list equals acknowledged": True}
    )


async def _all_there(shelf: Server, acknowledged: int) -> float:
    """Wait until the list shows all acknowledged books; return the seconds.

    Raises `BenchFault` if it then has more or fewer books.
    """
    began = time.perf_counter()
    last = await ask(shelf.services["newbook"], posted()[0], 201)
    first = get("/books?limit=1000", Bookshelf_After=last.header("Bookshelf-Position") or "")
    async with asyncio.timeout(_CATCH_UP_S):
        while (await _status(shelf, first)) == 503:  # noqa: PLR2004 (Service Unavailable: the view is behind)
            pass
    behind_s = time.perf_counter() - began
    listed = len(await _ids(shelf))
    if listed != acknowledged + 1:
        msg = f"{acknowledged + 1} books were acknowledged, but the list has {listed}"
        raise BenchFault(msg)
    return behind_s


async def _status(shelf: Server, request: bytes) -> int:
    async with connect(shelf.services["booklist"]) as own:
        return (await own.ask(request, None)).status


async def _ids(shelf: Server) -> set[str]:
    ids: set[str] = set()
    target: str | None = "/books?limit=1000"
    async with connect(shelf.services["booklist"]) as own:
        while target is not None:
            page = await own.ask(get(target))
            ids.update(book.id for book in msgspec.json.decode(page.body, type=list[_Id]))
            following = _NEXT.search(page.header("Link") or "")
            target = following[1] if following else None
    return ids


POSTS = Measurement("posts", "durable POST /books, with the views running", _run)
