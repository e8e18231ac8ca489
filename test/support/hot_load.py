"""Hundreds of clients that change one book, or a few, at the same time, each until it is answered."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import NamedTuple, Self

import aiohttp
from support.client import Client, Reply
from support.kafka_proxy import BackgroundLoop
from support.load import IMPATIENT_S, PATIENCE_S, Load, Sent, Writer

#: Seconds before a command is sent again, and between two commands of one client.
_AGAIN_S = 0.1
_PAUSE_S = 0.5


#: What long notes are filled with: a character that takes as many bytes as one can.
_FILLER = "\N{BOOKS}"


class Habits(NamedTuple):
    """How clients write. One of `keyless` of them sends no keys; none if it is 0.

    `characters` is the length of the notes at least, `pause_s` the time between two commands of one client.
    """

    keyless: int = 0
    characters: int = 0
    pause_s: float = _PAUSE_S


@dataclass(kw_only=True)
class HotWriter(Writer):
    """One of the clients. Without `keyed` it sends no key, and each command once."""

    book: str
    keyed: bool
    habits: Habits

    async def play(self, session: aiohttp.ClientSession, ended: asyncio.Event) -> None:
        """Change the book until the load ends; a command that was begun is sent until it is answered."""
        for number in count():
            if ended.is_set():
                return
            name = f"{self.name}-{number}"
            mark = name.ljust(self.habits.characters, _FILLER)
            key = f"key {name}" if self.keyed else None
            path = f"/books/{self.book}"
            one = Sent(mark, "PATCH", path, {"notes": mark, "pages": number + 1}, key)
            self.sent.append(one)
            await self._until_answered(one, session)
            await _elapses(ended, self.habits.pause_s)

    async def _until_answered(self, one: Sent, session: aiohttp.ClientSession) -> None:
        began = time.monotonic()
        never = asyncio.Event()
        while True:
            reply = await self._ask(one, session)
            one.take(reply)
            one.waited_s = time.monotonic() - began
            if reply is not None and one.foreign(reply):
                self.foreign.append((one, reply))
            if one.acknowledged or one.refused or one.key is None or one.waited_s > PATIENCE_S:
                return
            await _elapses(never, _AGAIN_S)

    async def _ask(self, one: Sent, session: aiohttp.ClientSession) -> Reply | None:
        url = f"http://{self.client.host}:{self.client.port}{self.client.prefix}{one.path}"
        headers = {"Idempotency-Key": one.key} if one.key is not None else {}
        try:
            async with session.request(one.method, url, json=one.body, headers=headers) as answer:
                named = {name.lower(): value for name, value in answer.headers.items()}
                return Reply(answer.status, named, await answer.read())
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None


async def _elapses(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


class HotLoad(Load):
    """All clients, from the block's beginning to its end; they share the books evenly."""

    def __init__(
        self,
        background_loop: BackgroundLoop,
        client: Client,
        books: Sequence[str],
        name: str,
        clients: int = 200,
        habits: Habits = Habits(),  # noqa: B008 (it never changes)
    ) -> None:
        super().__init__(client, name, Random(name), 0)  # noqa: S311 (no secrets)
        self._backstage = background_loop
        self._told = asyncio.Event()
        self._hot = [
            HotWriter(
                f"{name}-{n}",
                client,
                Random(n),  # noqa: S311 (no secrets)
                book=books[n % len(books)],
                keyed=not habits.keyless or n % habits.keyless != 0,
                habits=habits,
            )
            for n in range(clients)
        ]
        self._writers = [*self._hot]

    def __enter__(self) -> Self:
        self._running = asyncio.run_coroutine_threadsafe(self._play(), self._backstage.loop)
        return self

    def __exit__(self, *_: object) -> None:
        self._backstage.tell(self._told.set)
        self._running.result(PATIENCE_S + 60)

    async def _play(self) -> None:
        timeout = aiohttp.ClientTimeout(total=IMPATIENT_S)
        connector = aiohttp.TCPConnector(limit=0)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            asyncio.TaskGroup() as clients,
        ):
            for writer in self._hot:
                clients.create_task(writer.play(session, self._told))
