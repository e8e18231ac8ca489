"""Between clients and a broker: passes Kafka's frames on, or lets something go wrong with them.

It runs in a thread of its own, so that a test can block, and reads requests as far as their kind: what they
ask for decides what becomes of them.
"""

import asyncio
import contextlib
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

HOST = "127.0.0.1"
#: Kinds of requests: Kafka's ApiKeys.
PRODUCE, END_TXN = 0, 26
#: Seconds within which the thread runs a call.
_DONE_S = 10.0


class BackgroundLoop:
    """An event loop in a thread, for what must go on while a test waits."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="backstage", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do it there, and return what came of it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(_DONE_S)

    def tell(self, work: Callable[[], object]) -> None:
        """Have it done there, and return once it is."""

        async def done() -> None:
            work()

        self.run(done())

    def close(self) -> None:
        """End what still goes on, and the thread."""
        self.run(_everyone_else_ended())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_DONE_S)
        self.loop.close()


async def _everyone_else_ended() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class KafkaProxy:
    """A port before a broker's. What is set holds for all connections, old and new."""

    def __init__(self, background_loop: BackgroundLoop, target: int) -> None:
        self._backstage = background_loop
        self._target = target
        self._open = asyncio.Event()
        self._open.set()
        self._released = asyncio.Event()
        self._ends: set[asyncio.StreamWriter] = set()
        self.slow_s = 0.0
        self.held_kinds: frozenset[int] = frozenset()
        self.muted_kinds: frozenset[int] = frozenset()
        self.held = 0
        self.muted = 0
        self._server = background_loop.run(asyncio.start_server(self._connected, HOST, 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def blackhole(self) -> None:
        """Take everything, and pass nothing on."""
        self._backstage.tell(self._open.clear)

    def heal(self) -> None:
        """Pass everything on again; what was held is passed on now."""

        def healed() -> None:
            self.slow_s, self.held_kinds, self.muted_kinds = 0.0, frozenset(), frozenset()
            self._open.set()
            self._released.set()

        self._backstage.tell(healed)

    def hold(self, *kinds: int) -> None:
        """Hold requests of these kinds, and what follows them, until it is healed: they land later."""

        def holding() -> None:
            self.held, self.held_kinds = 0, frozenset(kinds)
            self._released.clear()

        self._backstage.tell(holding)

    def let_pass(self) -> None:
        """Hold and mute no more; what is held or mute stays so until it is healed."""

        def passing() -> None:
            self.held_kinds, self.muted_kinds = frozenset(), frozenset()

        self._backstage.tell(passing)

    def mute(self, *kinds: int) -> None:
        """Let requests of these kinds land and swallow what is answered, there and from then on."""

        def muting() -> None:
            self.muted, self.muted_kinds = 0, frozenset(kinds)

        self._backstage.tell(muting)

    def cut(self) -> None:
        """Cut every connection."""
        self._backstage.tell(self._cut)

    def _cut(self) -> None:
        for end in self._ends:
            end.transport.abort()

    def close(self) -> None:
        """Refuse all connections from now on."""
        self.heal()
        self._backstage.tell(self._server.close)
        self.cut()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        try:
            beyond_reader, beyond = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, self._open, self._released)
        self._ends |= {writer, beyond}
        back = asyncio.create_task(_quietly(connection.back(beyond_reader, writer)))
        await _quietly(connection.onward(reader, beyond))
        beyond.close()
        await back
        self._ends -= {writer, beyond}


class _Connection:
    """One client's connection, both ways."""

    def __init__(self, wire: KafkaProxy, opened: asyncio.Event, released: asyncio.Event) -> None:
        self._wire = wire
        self._open = opened
        self._released = released
        self._kinds: dict[int, int] = {}
        self._mute = False

    async def onward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            frame = await _frame(reader)
            kind, _, number = struct.unpack_from(">hhi", frame, 4)
            self._kinds[number] = kind
            if kind in self._wire.held_kinds:
                self._wire.held += 1
                await self._released.wait()
            await self._delayed()
            writer.write(frame)
            await writer.drain()

    async def back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                frame = await _frame(reader)
                (number,) = struct.unpack_from(">i", frame, 4)
                if self._kinds.pop(number, -1) in self._wire.muted_kinds:
                    self._wire.muted += 1
                    self._mute = True  # a client takes answers in order: the next would betray this one
                await self._delayed()
                if not self._mute:
                    writer.write(frame)
                    await writer.drain()
        finally:
            writer.close()

    async def _delayed(self) -> None:
        if self._wire.slow_s:
            await asyncio.sleep(self._wire.slow_s)  # sleep: how slow the wire is
        await self._open.wait()


async def _frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    return head + await reader.readexactly(int.from_bytes(head, "big"))


async def _quietly(passing: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(OSError, EOFError):
        await passing
