"""Measures Consul and etcd: from a write of one key until so many watchers have it."""

import asyncio
import base64
import os
import signal
import time
from asyncio.subprocess import DEVNULL, Process, create_subprocess_exec
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from bench import programs
from bench.figures import latencies
from bookshelf.concurrency import cancel_and_wait
from bookshelf.http.server import free_port

#: Writes before those that are measured, and seconds that one may take.
_WARM_UP, _PATIENCE_S, _LOOK_S = 5, 60.0, 0.05
_KEY = "bench"
_OK = 200


class Watched:
    """Counts the watchers that have a value."""

    def __init__(self, watchers: int) -> None:
        self._watchers = watchers
        self._seen = 0
        self._value = ""
        self._all = asyncio.Event()

    def expect(self, value: str) -> None:
        """Begin to count for another value."""
        self._value, self._seen, self._all = value, 0, asyncio.Event()

    def note(self, value: str) -> None:
        """Count a watcher that has a value."""
        if value == self._value:
            self._seen += 1
            if self._seen == self._watchers:
                self._all.set()

    async def complete(self) -> None:
        """Return once all have it."""
        async with asyncio.timeout(_PATIENCE_S):
            await self._all.wait()


class _Consul:
    """A development agent of Consul, in memory; watched by blocking queries."""

    def __init__(self, session: Any) -> None:  # noqa: ANN401 (aiohttp's)
        self._session = session
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/v1/kv/{_KEY}"

    def command(self, program: str, _folder: Path) -> list[str]:
        return programs.consul(program, self._port)

    async def put(self, value: str) -> None:
        async with self._session.put(self.url, data=value) as answer:
            answer.raise_for_status()

    async def watch(self, watched: Watched, ready: Callable[[], None]) -> None:
        index = "1"
        async with self._session.get(self.url) as answer:
            index = answer.headers["X-Consul-Index"]
        ready()
        while True:
            async with self._session.get(self.url, params={"index": index, "wait": "60s"}) as answer:
                index = answer.headers["X-Consul-Index"]
                if answer.status == _OK:
                    [entry] = msgspec.json.decode(await answer.read())
                    watched.note(base64.b64decode(entry["Value"]).decode())


class _Etcd:
    """One node of etcd, with an fsync for each write; watched by the JSON form of its watch streams."""

    def __init__(self, session: Any) -> None:  # noqa: ANN401 (aiohttp's)
        self._session = session
        self._client, self._peer = free_port(), free_port()
        self._url = f"http://127.0.0.1:{self._client}/v3"

    def command(self, program: str, folder: Path) -> list[str]:
        client, peer = f"http://127.0.0.1:{self._client}", f"http://127.0.0.1:{self._peer}"
        return [
            *(program, f"--data-dir={folder / 'etcd'}", "--log-level=error"),
            *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
            f"--initial-cluster=default={peer}",
        ]

    async def put(self, value: str) -> None:
        body = msgspec.json.encode({"key": _base64(_KEY), "value": _base64(value)})
        async with self._session.post(f"{self._url}/kv/put", data=body) as answer:
            answer.raise_for_status()
            await answer.read()

    async def watch(self, watched: Watched, ready: Callable[[], None]) -> None:
        body = msgspec.json.encode({"create_request": {"key": _base64(_KEY)}})
        async with self._session.post(f"{self._url}/watch", data=body) as answer:
            async for line in answer.content:
                result = msgspec.json.decode(line)["result"]
                if result.get("created"):
                    ready()
                for event in result.get("events", ()):
                    watched.note(base64.b64decode(event["kv"]["value"]).decode())


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def installed() -> dict[str, str | None]:
    """Return the programs of Consul and etcd, None for one that cannot be measured here."""
    found = {"consul watch": programs.found("consul"), "etcd watch": programs.found("etcd")}
    return found if find_spec("aiohttp") is not None else dict.fromkeys(found)


async def delays(name: str, program: str, watchers: int, folder: Path, rounds: int) -> dict[str, float]:
    """Return the times until all watchers have a write, over so many writes, in milliseconds."""
    from aiohttp import ClientSession, ClientTimeout, TCPConnector  # noqa: PLC0415 (an extra)

    connector, timeout = TCPConnector(limit=0), ClientTimeout(total=None)
    async with ClientSession(connector=connector, timeout=timeout) as session:
        server = _Consul(session) if name == "consul watch" else _Etcd(session)
        async with _running(server.command(program, folder)):
            await _until_answered(lambda: server.put("0"))
            return await _measured(server, watchers, rounds)


async def _measured(server: _Consul | _Etcd, watchers: int, rounds: int) -> dict[str, float]:
    watched, begun = Watched(watchers), Watched(watchers)
    begun.expect("begun")
    tasks = [asyncio.create_task(server.watch(watched, lambda: begun.note("begun"))) for _ in range(watchers)]
    try:
        await begun.complete()
        taken_s: list[float] = []
        for number in range(1, _WARM_UP + rounds + 1):
            watched.expect(str(number))
            began = time.perf_counter()
            await server.put(str(number))
            await watched.complete()
            taken_s.append(time.perf_counter() - began)
    finally:
        await cancel_and_wait(*tasks)
    return latencies(taken_s[_WARM_UP:])


async def _until_answered(ask: Callable[[], Awaitable[None]]) -> None:
    from aiohttp import ClientError  # noqa: PLC0415 (an extra)

    async with asyncio.timeout(_PATIENCE_S):
        while True:
            try:
                await ask()
            except (ClientError, OSError):
                await asyncio.sleep(_LOOK_S)
            else:
                return


@asynccontextmanager
async def _running(command: list[str]) -> AsyncIterator[Process]:
    process = await create_subprocess_exec(*command, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
