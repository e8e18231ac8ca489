"""Durable POSTs: an answer is 201 once its event is fsynced."""

import asyncio
import re
import time
from pathlib import Path

import msgspec

from bench import library
from bench.line import ask, line
from bench.load import Load
from bench.measurement import BenchFault, Measurement, Plan, Sample
from bench.server import Server, server
from bench.wire import get, post

#: Different books in turn.
_BOOKS = 1000
#: Seconds until the list must show what was acknowledged.
_CATCH_UP_S = 120.0
_NEXT = re.compile(r"<([^>]+)>; rel=\"next\"")


class _Id(msgspec.Struct):
    id: str


def posted(prefix: str = "") -> list[bytes]:
    """Return requests that add books."""
    return [post(f"{prefix}/books", library.book(number)) for number in range(_BOOKS)]


async def _run(plan: Plan, folder: Path) -> Sample:
    async with server(folder / "shelf") as shelf:
        own, door = shelf.services["newbook"], shelf.gateway
        loads = Load(posted(), 201), Load(posted("/bookshelf"), 201), Load(posted(), 201)
        figures = {
            "service": await loads[0].run(own, plan.connections, plan.seconds),
            "gateway": await loads[1].run(door, plan.connections, plan.seconds),
            "one connection": await loads[2].run(own, 1, plan.seconds),
        }
        acknowledged = sum(load.answered for load in loads)
        figures["views"] = {"behind_s": await _all_there(shelf, acknowledged)}
    return Sample(
        figures, {"synchronous": "FULL: an fsync before each answer", "list equals acknowledged": True}
    )


async def _all_there(shelf: Server, acknowledged: int) -> float:
    """Return how long the list took to show all that was acknowledged, and no more. Raises `BenchFault`."""
    began = time.perf_counter()
    last = await ask(shelf.services["newbook"], posted()[0], 201)
    first = get("/books?limit=1000", Bookshelf_After=last.header("Bookshelf-Position") or "")
    async with asyncio.timeout(_CATCH_UP_S):
        while (await _status(shelf, first)) == 503:  # noqa: PLR2004 (Service Unavailable: the view is behind)
            pass
    behind_s = time.perf_counter() - began
    there = len(await _ids(shelf))
    if there != acknowledged + 1:
        msg = f"{acknowledged + 1} books were acknowledged, and {there} are there"
        raise BenchFault(msg)
    return behind_s


async def _status(shelf: Server, request: bytes) -> int:
    async with line(shelf.services["booklist"]) as own:
        return (await own.ask(request, None)).status


async def _ids(shelf: Server) -> set[str]:
    found: set[str] = set()
    target: str | None = "/books?limit=1000"
    async with line(shelf.services["booklist"]) as own:
        while target is not None:
            page = await own.ask(get(target))
            found.update(book.id for book in msgspec.json.decode(page.body, type=list[_Id]))
            following = _NEXT.search(page.header("Link") or "")
            target = following[1] if following else None
    return found


POSTS = Measurement("posts", "durable POST /books, with the views running", _run)
