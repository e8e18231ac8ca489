"""Measures sign-in, and the queries of others meanwhile: a hash costs much, and runs in a thread."""

import asyncio
import os
import time
from pathlib import Path

import msgspec

from bench.connection import LoadConnection, ask, connect
from bench.figures import latencies
from bench.load import Load
from bench.measurement import Figures, Measurement, Plan, Sample
from bench.server import server
from bench.wire import get, post

_LOGIN = "/bookshelf/accounts/login"
_PASSWORD = "correct horse battery staple"  # noqa: S105 (of a shelf that is deleted)
_READERS = 8
#: Connections for sign-ins together.
_CONNECTIONS = (os.cpu_count() or 1) + 1
#: Wrong passwords, and unknown logins, of which each network has 100 in 15 minutes.
_WRONG = 9
_UNKNOWN = 30
_FACTS = {
    "quiet": f"GET /books?limit=100 with a token on {_READERS} connections",
    "meanwhile": "the same while people sign in, one after the other",
    "sign-in": "POST /accounts/login, one after the other, during these GETs",
    "sign-in, alone": "the same without other requests",
    "sign-in, together": "the same on as many connections as there are threads for hashes, and one more",
    "wrong": "a wrong password; unknown: a login that no account has",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    figures: Figures = {}
    async with server(folder / "shelf", ACCOUNTS="on") as shelf, connect(shelf.gateway) as own:
        ann = {"handle": "ann", "name": "Ann", "email": "ann@example.org", "password": _PASSWORD}
        await own.ask(post("/bookshelf/accounts", ann), 201)
        right = post(_LOGIN, {"login": "ann", "password": _PASSWORD})
        token = msgspec.json.decode((await own.ask(right)).body)["access_token"]
        query = get("/bookshelf/books?limit=100", Authorization=f"Bearer {token}")
        figures["quiet"] = await Load([query], 200).run(shelf.gateway, _READERS, plan.seconds)
        reading = asyncio.create_task(Load([query], 200).run(shelf.gateway, _READERS, plan.seconds))
        figures["sign-in"] = latencies(await _until(own, right, reading))
        figures["meanwhile"] = await reading
        figures["sign-in, alone"] = latencies(
            await _until(own, right, asyncio.create_task(asyncio.sleep(plan.seconds)))
        )
        figures["sign-in, together"] = await _together(shelf.gateway, right, plan.seconds)
        unknown = post(_LOGIN, {"login": "unknown", "password": _PASSWORD})
        wrong = post(_LOGIN, {"login": "ann", "password": "wrong"})
        for name, request, times in (("unknown", unknown, _UNKNOWN), ("wrong", wrong, _WRONG)):
            figures[name] = latencies([await _timed(own, request, 401) for _ in range(times)])
    return Sample(figures, dict(_FACTS))


async def _timed(own: LoadConnection, request: bytes, status: int = 200) -> float:
    began = time.perf_counter()
    await own.ask(request, status)
    return time.perf_counter() - began


async def _until(own: LoadConnection, request: bytes, end: "asyncio.Task[object]") -> list[float]:
    """Return the seconds of each response to a repeated request, until a task has ended; at least one."""
    taken_s = [await _timed(own, request)]
    while not end.done():
        taken_s.append(await _timed(own, request))
    return taken_s


async def _together(port: int, request: bytes, seconds: float) -> dict[str, float]:
    """Return rate and latencies of a request on several connections."""
    await ask(port, request)
    began, taken_s = time.perf_counter(), list[float]()

    async def repeat() -> None:
        async with connect(port) as one:
            while time.perf_counter() < began + seconds or not taken_s:
                taken_s.append(await _timed(one, request))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_CONNECTIONS):
            tasks.create_task(repeat())
    return {"per_s": len(taken_s) / (time.perf_counter() - began), **latencies(taken_s)}


ACCOUNTS = Measurement("accounts", "sign-in, and queries meanwhile", _run, large=True)
