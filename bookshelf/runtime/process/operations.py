"""Operations on the dead letters of a process, by the log alone: any instance can carry them out."""

import asyncio
from collections.abc import Sequence

import msgspec

from bookshelf.cqrs.dead_letters import LetterDropped, LetterRetried
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.process import CommandSender
from bookshelf.http.problem import Problem
from bookshelf.log.port import Log
from bookshelf.runtime.api.identity import OPERATOR
from bookshelf.runtime.clock import Clock, Ids
from bookshelf.runtime.process.dead_letters import ProcessLetters, letter_record, read_letters, read_reasons

#: Seconds that the process may take for requests, and between two looks at how far it is.
PATIENCE_S = 30.0
_LOOK_S = 0.05


class ProcessDeadLetter(msgspec.Struct, frozen=True):
    """A record that a process could not act on, or that is held back (`behind`), or a command not decided."""

    process: str
    position: str
    key: str
    reason: str
    behind: bool


class ProcessLetterOperations:
    """Lists, retries and drops the dead letters of one process. All raise `LogFault`."""

    def __init__(self, process: CommandSender, log: Log, clock: Clock, ids: Ids) -> None:
        self._process = process
        self._log = log
        self._clock = clock
        self._ids = ids

    async def listed(self) -> list[ProcessDeadLetter]:
        """Return the open dead letters."""
        name, topic = self._process.name, self._process.dead_letters
        return [
            ProcessDeadLetter(name, letter.position, opened.key, letter.reason, letter.behind)
            for partition, letters in enumerate(await self._read())
            for opened, letter in await read_reasons(self._log, topic, partition, letters.listed())
        ]

    async def retry(self, key: str | None = None) -> int:
        """Retry the dead letters of one key, or all; return how many are none any more.

        Only the first of those that are held back together is requested: the others follow it. Raises
        `Problem` if the process does not handle the requests in time.
        """
        before = await self._read()
        for partition, letters in enumerate(before):
            chosen = [opened for opened in letters.heads() if key in {None, opened.key}]
            await self._request(
                partition,
                [(opened.key, LetterRetried(position=opened.position)) for opened in chosen],
            )
        after = {opened.position for letters in await self._read() for opened in letters.listed()}
        return sum(opened.position not in after for letters in before for opened in letters.listed())

    async def drop(self, position: Position) -> bool:
        """Give up the dead letter at a position; return False if there is none.

        Raises `Problem` if an earlier one holds it back, or if the process does not answer in time.
        """
        for partition, letters in enumerate(await self._read()):
            opened = letters.find(str(position))
            if opened is None:
                continue
            if letters.head(opened.hold) is not opened:
                waits = f"{position} waits behind an earlier record of {opened.key}"
                raise Problem("conflict", f"{waits}; drop or retry that one first")
            await self._request(partition, [(opened.key, LetterDropped(position=str(position)))])
            return True
        return False

    async def _read(self) -> list[ProcessLetters]:
        topic = self._process.dead_letters
        return [await read_letters(self._log, topic, p) for p in range(self._log.partitions(topic))]

    async def _request(
        self, partition: int, requests: Sequence[tuple[str, LetterRetried | LetterDropped]]
    ) -> None:
        """Append requests, and wait until the process has handled them and all that followed them."""
        if not requests:
            return
        name, topic = self._process.name, self._process.dead_letters
        records = [letter_record(name, *request, self._ids.new(), self._clock.now()) for request in requests]
        writer = await self._log.writer(OPERATOR, topic, partition)
        try:
            requested = (await writer.append(records))[-1] + 1
        finally:
            await writer.close()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await self._has_handled(partition, requested):  # noqa: ASYNC110 (perhaps elsewhere)
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError:
            msg = f"process {name} has not handled the request yet; see whether an instance of it runs"
            raise Problem("unavailable", msg) from None

    async def _has_handled(self, partition: int, requested: int) -> bool:
        """Return True if the requests before an offset, and all that followed them, are handled."""
        topic = self._process.dead_letters
        consumed = await self._log.consumed(self._process.name, topic, partition)
        # the topic is read again only then: the requests that follow are in it by now
        return (
            consumed >= requested and consumed >= (await read_letters(self._log, topic, partition)).requested
        )
