"""Reads from a log when orders were placed and when they ended, and checks the laws of the shop."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from datetime import datetime
from pathlib import Path

from bench.measurement import BenchFault
from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.log.port import Tail
from bookshelf.log.sqlite.log import ReadOnlySqliteLog
from bookshelf.shop.events import TOPIC
from bookshelf.shop.order_events import OrderCanceled, OrderFinalized, OrderPlaced

_DEADLINE_S = 600
_PAUSE_S = 0.02
_READ = 1000
_ENDS = {OrderFinalized.TYPE, OrderCanceled.TYPE}


class Ends:
    """The times of the orders in an embedded log that grows, from `start` on."""

    def __init__(self, folder: Path, start: int = 0) -> None:
        self._log = ReadOnlySqliteLog(folder / "log.sqlite")
        self._offset = start
        self.placed: list[datetime] = []
        self.ended: dict[str, tuple[str, datetime]] = {}

    @property
    def status(self) -> Counter[str]:
        """How many orders have ended so."""
        return Counter(kind for kind, _ in self.ended.values())

    def last(self, *kinds: str) -> datetime:
        """Return when the last order ended in one of these ways."""
        return max(when for kind, when in self.ended.values() if kind in kinds)

    async def until(self, orders: int) -> None:
        """Return once so many orders have ended."""
        async with asyncio.timeout(_DEADLINE_S):
            while True:
                await self._read()
                if len(self.ended) >= orders:
                    break
                await asyncio.sleep(_PAUSE_S)
        await self._log.close()

    async def _read(self) -> None:
        end = await self._log.end(TOPIC, 0)
        tail = await self._log.tail(TOPIC, 0, self._offset)
        while tail.position < end:
            await self._take(tail)
        self._offset = tail.position
        await tail.close()

    async def _take(self, tail: Tail) -> None:
        for record in await tail.take(_READ):
            envelope = decode_envelope(record.value)
            if envelope.type == OrderPlaced.TYPE:
                self.placed.append(envelope.time)
            elif envelope.type in _ENDS:
                self.ended[record.key] = (envelope.type.split(".")[1], envelope.time)


async def end_of(folder: Path) -> int:
    """Return the offset of the end of the shop's topic."""
    log = ReadOnlySqliteLog(folder / "log.sqlite")
    end = await log.end(TOPIC, 0)
    await log.close()
    return end


async def rest(folder: Path) -> None:
    """Return once the log has not grown for a while: holds are released and invoices written."""
    size = -1
    while (now := await end_of(folder)) != size:
        size = now
        await asyncio.sleep(0.5)


async def checked(*where: str, **settings: str) -> None:
    """Return if every law of the shop holds. Raises `BenchFault`.

    `where`: options of `bookshelf shop check`; `settings`: variables of its environment.
    """
    command = (sys.executable, "-m", "bookshelf", "shop", "check", "--json", *where)
    program = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=PIPE, env={**os.environ, **settings}
    )
    output, _ = await program.communicate()
    if program.returncode:
        described = [text for law in json.loads(output)["laws"] for text in law["described"]]
        msg = f"a law of the shop does not hold: {described[:3]}"
        raise BenchFault(msg)
