"""Measures votes, how soon they are seen, and pages of the gallery while photos come in."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import sample_photos
from bench.connection import connect
from bench.figures import latencies
from bench.load import Load
from bench.measurement import BenchFault, Figures, Plan
from bench.posts import posted
from bench.server import server
from bench.wire import get, post

#: Votes in the log before the measured ones, rounds of vote and read, and readers of pages.
_VOTES, _ROUNDS, _READERS, _FEWER = 20_000, 300, 64, 16
_UNLIMITED = {"PHOTOS_VOTES_A_MINUTE": "100000000", "PHOTOS_UPLOADS_MINUTE": "100000"}
FACTS = {
    "votes": "PUT /photos/{id}/vote at the service's own port, each another way than before",
    "newbook": "POST /books at newbook's own port, of the same program on the same log",
    "votes / newbook": "the votes' rate and p99 over those of newbook",
    "vote visible": "one PUT at a time, until GET /photos/{id} with its position is answered, by the gateway",
    "pages": f"GET /gallery by {_READERS} readers through the gateway; then while 8 connections upload",
    "pages, fewer": f"the same without uploads, by {_FEWER} readers",
    "pages, slower": "p99 while photos are uploaded / p99 without; 2 is wanted",
}


def _put(target: str, way: str) -> bytes:
    return post(target, {"way": way}).replace(b"POST ", b"PUT ", 1)


async def votes(plan: Plan, folder: Path) -> Figures:
    """Measure votes beside books in one program. Raises `BenchFault`."""
    photos = sample_photos.photos_of(_VOTES)
    await sample_photos.fill(folder, _VOTES)
    # the second time around, each vote is another one
    puts = [
        _put(f"/photos/{sample_photos.photo_id(number)}/vote", way)
        for way in ("up", "down")
        for number in range(photos)
    ]
    async with server(folder, "photos", "newbook", **_UNLIMITED) as up:
        figures = {
            "votes": await Load(puts, 200).run(up.services["votes"], plan.connections, plan.seconds),
            "newbook": await Load(posted(), 201).run(up.services["newbook"], plan.connections, plan.seconds),
            "vote visible": latencies([await _seen(up.gateway, number) for number in range(_ROUNDS)]),
        }
    pairs = {name: figures["votes"][name] / figures["newbook"][name] for name in ("per_s", "p99_ms")}
    return {**figures, "votes / newbook": pairs}


async def _seen(gateway: int, number: int) -> float:
    """Vote and read the photo; return the seconds of both. Raises `BenchFault`."""
    target = f"/bookshelf/photos/{sample_photos.photo_id(number)}"
    async with connect(gateway) as own:
        began = time.perf_counter()
        voted = await own.ask(_put(f"{target}/vote", "up" if number % 2 else "down"), 200)
        position = voted.header("Bookshelf-Position")
        if position is None:
            raise BenchFault("the answer to a vote lacks Bookshelf-Position")
        await own.ask(get(target, Bookshelf_After=position))
        return time.perf_counter() - began


async def pages(gateway: int, seconds: float, upload: Callable[[asyncio.Event], Awaitable[float]]) -> Figures:
    """Measure pages of the gallery, without and while `upload` sends photos until its event is set."""
    fewer = await Load([get("/gallery")], 200).run(gateway, _FEWER, seconds)
    quiet = await Load([get("/gallery")], 200).run(gateway, _READERS, seconds)
    ended = asyncio.Event()
    uploading = asyncio.ensure_future(upload(ended))
    busy = await Load([get("/gallery")], 200).run(gateway, _READERS, seconds)
    ended.set()
    return {
        "pages, fewer": fewer,
        "pages": quiet,
        "pages, while uploading": {**busy, "uploads_per_s": await uploading},
        "pages, slower": {"p99": busy["p99_ms"] / quiet["p99_ms"]},
    }
