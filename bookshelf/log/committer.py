"""The one thread that writes the SQLite log: everything that waits goes into one fsynced commit."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from bookshelf.log.database import connect, consumed, ends
from bookshelf.log.places import Place
from bookshelf.log.port import Consumed, Fenced, LogFault, LogFull, NewRecord, OutcomeUnknown

Ends = dict[Place, int]
#: By writer's name, topic and partition.
Moves = dict[tuple[str, str, int], int]
Done = Callable[["Append", Sequence[int]], None]
Row = tuple[str, int, int, str, bytes]

_INSERT = "INSERT INTO record (topic, part, off, key, value) VALUES (?, ?, ?, ?, ?)"
_MOVE = "INSERT OR REPLACE INTO consumed (name, topic, part, off) VALUES (?, ?, ?, ?)"


class Append(NamedTuple):
    """One writer's records, and the future that waits for their offsets.

    `places` are the records' own; None if all go to the writer's.
    """

    name: str
    topic: str
    partition: int
    records: Sequence[NewRecord]
    places: Sequence[Place] | None
    consumed: Consumed | None
    fenced: Callable[[], bool]
    answer: "asyncio.Future[Sequence[int]]"


class Committer:
    """Owns the writing connection. `done` is called on the loop for every append that is durable."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, done: Done) -> None:
        self._path = path
        self._loop = loop
        self._done = done
        self._queue: SimpleQueue[Append | None] = SimpleQueue()
        self._connection = connect(path)
        self._ends: Ends = ends(self._connection)
        self._consumed: Moves = consumed(self._connection)
        self._thread = threading.Thread(target=self._run, name="log-committer", daemon=True)
        self._thread.start()

    def submit(self, append: Append) -> None:
        """Queue an append; its future is answered on the loop."""
        self._queue.put(append)

    def stop(self) -> None:
        """Commit what is queued, then end the thread and close the file. Blocks; call it in a thread."""
        self._queue.put(None)
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, stopping = self._drain(first)
            outcome = self._commit(batch)
            self._loop.call_soon_threadsafe(self._tell, outcome)
            if stopping:
                return

    def _drain(self, first: Append) -> tuple[list[Append], bool]:
        batch = [first]
        while True:
            try:
                more = self._queue.get_nowait()
            except Empty:
                return batch, False
            if more is None:
                return batch, True
            batch.append(more)

    def _commit(self, batch: list[Append]) -> list[tuple[Append, Sequence[int] | LogFault]]:
        placed: list[tuple[Append, Sequence[int] | LogFault]] = []
        reached = dict(self._ends)
        rows: list[Row] = []
        moves: Moves = {}
        for append in batch:
            if append.fenced():
                placed.append((append, Fenced(f"partition {append.partition} has another writer by now")))
                continue
            placed.append((append, _place(append, reached, rows)))
            if append.consumed is not None:
                moves[append.name, append.consumed.topic, append.consumed.partition] = append.consumed.offset
        fault = self._write(rows, moves)
        if fault is None:
            self._ends = reached
            self._consumed.update(moves)
            return placed
        return [(append, fault if _writes(append, outcome) else outcome) for append, outcome in placed]

    def _write(self, rows: list[Row], moves: Moves) -> LogFault | None:
        if not rows and not moves:
            return None
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_INSERT, rows)
            if moves:
                self._connection.executemany(_MOVE, [(*place, offset) for place, offset in moves.items()])
            self._connection.execute("COMMIT")
        except Exception as fault:  # noqa: BLE001 (whatever it is, who waits is told and the thread goes on)
            return self._after(fault)
        return None

    def _after(self, fault: Exception) -> LogFault:
        """Reopen, and see from the file itself whether the failed commit is in it."""
        try:
            self._connection.close()
            self._connection = connect(self._path)
            found = ends(self._connection), consumed(self._connection)
        except (sqlite3.Error, LogFault) as worse:
            return OutcomeUnknown(f"the log cannot be read after a failed write: {worse}")
        landed = found != (self._ends, self._consumed)
        self._ends, self._consumed = found
        if landed:
            return OutcomeUnknown(f"the log failed while it wrote: {fault}")
        return LogFull(f"the log cannot be written: {fault}; free space on its disk, or make it writable")

    def _tell(self, outcome: list[tuple[Append, Sequence[int] | LogFault]]) -> None:
        for append, result in outcome:
            if isinstance(result, LogFault):
                if not append.answer.done():
                    append.answer.set_exception(result)
                continue
            self._done(append, result)
            if not append.answer.done():
                append.answer.set_result(result)


def _writes(append: Append, outcome: Sequence[int] | LogFault) -> bool:
    """Whether the append had a part in the commit."""
    return not isinstance(outcome, LogFault) and bool(append.records or append.consumed)


def _place(append: Append, reached: Ends, rows: list[Row]) -> Sequence[int]:
    if append.places is not None:
        return [
            _put(place, record, reached, rows)
            for place, record in zip(append.places, append.records, strict=True)
        ]
    topic, partition = append.topic, append.partition
    first = reached.get((topic, partition), 0)
    rows.extend(
        (topic, partition, n, record.key, record.value) for n, record in enumerate(append.records, first)
    )
    if append.records:  # an end of 0 is never noted: after a fault the file itself is compared, and has none
        reached[topic, partition] = first + len(append.records)
    return range(first, first + len(append.records))


def _put(place: Place, record: NewRecord, reached: Ends, rows: list[Row]) -> int:
    offset = reached.get(place, 0)
    rows.append((*place, offset, record.key, record.value))
    reached[place] = offset + 1
    return offset
