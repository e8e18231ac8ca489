"""Group commit of the SQLite log: one thread writes all queued appends in one fsynced transaction."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple
from uuid import uuid4

from bookshelf.log.port import Consumed, Fenced, LogFault, LogFull, NewRecord, OutcomeUnknown, Place
from bookshelf.log.sqlite.database import connect, consumed, ends

Connect = Callable[[Path], sqlite3.Connection]
Ends = dict[Place, int]
#: By writer's name, topic and partition.
Moves = dict[tuple[str, str, int], int]
Done = Callable[["QueuedAppend", Sequence[int]], None]
Row = tuple[str, int, int, str, bytes]

#: Bytes of the records that may wait for the disk; an append that comes on top of them is refused.
QUEUE_BYTES = 64 << 20
#: Bytes of one commit: it ends with the append that reaches them.
COMMIT_BYTES = 8 << 20

_INSERT = "INSERT INTO record (topic, part, off, key, value) VALUES (?, ?, ?, ?, ?)"
_MOVE = "INSERT OR REPLACE INTO consumed (name, topic, part, off) VALUES (?, ?, ?, ?)"


class QueuedAppend(NamedTuple):
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

    @property
    def size(self) -> int:
        """The bytes of the records."""
        return sum(len(record.key) + len(record.value) for record in self.records)


class _Attempt(NamedTuple):
    """A batch whose commit raised, and what the file has if it was carried out all the same."""

    outcome: "AppendResult"
    ends: Ends
    consumed: Moves
    #: True if the commit frame cannot be in the write-ahead log, so that no restart can bring the batch back.
    harmless: bool
    fault: Exception


AppendResult = list[tuple[QueuedAppend, Sequence[int] | LogFault]]


class Committer:
    """Owns the writing connection. `done` is called on the loop for every append that is durable.

    A commit that raised has an open outcome until a later fsynced write has shown whether it is in the file.
    Nothing else is written before that. `opener` opens the writing connection.
    """

    def __init__(
        self, path: Path, loop: asyncio.AbstractEventLoop, done: Done, opener: Connect = connect
    ) -> None:
        self._path = path
        self._loop = loop
        self._done = done
        self._opener = opener
        self._queue: SimpleQueue[QueuedAppend | None] = SimpleQueue()
        #: Bytes of the appends that are not answered yet; counted on the loop.
        self._queued_bytes = 0
        self._sizes: dict[asyncio.Future[Sequence[int]], int] = {}
        self._open_attempt: _Attempt | None = None
        self._connection = opener(path)
        self._ends: Ends = ends(self._connection)
        self._consumed: Moves = consumed(self._connection)
        self._thread = threading.Thread(target=self._run, name="log-committer", daemon=True)
        self._thread.start()

    def submit(self, append: QueuedAppend) -> None:
        """Queue an append; its future is answered on the loop. Raises `LogFull` if too much waits already."""
        size = append.size
        if size and self._queued_bytes and self._queued_bytes + size > QUEUE_BYTES:
            msg = f"{self._queued_bytes} bytes wait for the log's disk already; try again"
            raise LogFull(msg)
        self._queued_bytes += size
        self._sizes[append.answer] = size
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
            self._loop.call_soon_threadsafe(self._answer, outcome)
            if stopping:
                return

    def _drain(self, first: QueuedAppend) -> tuple[list[QueuedAppend], bool]:
        batch, size = [first], first.size
        while size < COMMIT_BYTES:
            try:
                more = self._queue.get_nowait()
            except Empty:
                return batch, False
            if more is None:
                return batch, True
            batch.append(more)
            size += more.size
        return batch, False

    def _commit(self, batch: list[QueuedAppend]) -> AppendResult:
        if self._open_attempt is not None:
            former = self._settle(self._open_attempt)
            if former is None:
                return [(append, self._refusal(append, self._open_attempt)) for append in batch]
            self._loop.call_soon_threadsafe(self._answer, former)
        placed: AppendResult = []
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
        return self._write(placed, reached, rows, moves)

    def _write(self, placed: AppendResult, reached: Ends, rows: list[Row], moves: Moves) -> AppendResult:
        if not rows and not moves:
            return placed
        committing = False
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(_INSERT, rows)
            if moves:
                self._connection.executemany(_MOVE, [(*place, offset) for place, offset in moves.items()])
            committing = True
            self._connection.execute("COMMIT")
        except Exception as fault:  # noqa: BLE001 (each append gets it as its answer, and the thread goes on)
            harmless = not committing or _is_full(fault)
            attempt = _Attempt(placed, reached, {**self._consumed, **moves}, harmless, fault)
            return self._settle(attempt) or _failed(attempt, _unknown(attempt))
        self._ends = reached
        self._consumed.update(moves)
        return placed

    def _settle(self, attempt: _Attempt) -> AppendResult | None:
        """Return what became of a failed commit; None, and remember it, while that cannot be shown.

        A failed fsync leaves frames in the write-ahead log that no connection sees and a restart would
        replay. The checkpoint and the fsynced write after it overwrite these, and make durable what is seen.
        """
        try:
            self._connection.close()
            self._connection = self._opener(self._path)
            durable = not attempt.harmless and _overwrite(self._connection)
            found = ends(self._connection), consumed(self._connection)
        except (sqlite3.Error, LogFault):
            self._open_attempt = attempt
            return None
        before = found == (self._ends, self._consumed)
        if not (before or durable):
            self._open_attempt = attempt
            return None
        self._open_attempt = None
        self._ends, self._consumed = found
        if before:
            msg = f"the log cannot be written: {attempt.fault}; free space on its disk, or make it writable"
            return _failed(attempt, LogFull(msg))
        if found == (attempt.ends, attempt.consumed):
            return attempt.outcome
        return _failed(attempt, _unknown(attempt))

    def _refusal(self, append: QueuedAppend, attempt: _Attempt) -> LogFault:
        msg = f"the log cannot be written: {attempt.fault}; what became of the last commit is not known yet"
        # a writer that is being opened has to know what its name wrote before
        return LogFull(msg) if append.records or append.consumed else OutcomeUnknown(msg)

    def _answer(self, outcome: AppendResult) -> None:
        for append, result in outcome:
            self._queued_bytes -= self._sizes.pop(append.answer, 0)  # one whose outcome was open comes twice
            if isinstance(result, LogFault):
                if not append.answer.done():
                    append.answer.set_exception(result)
                continue
            self._done(append, result)
            if not append.answer.done():
                append.answer.set_result(result)


def _is_full(fault: Exception) -> bool:
    """Return True if a frame could not be written: the commit frame is the last one, so it is not there."""
    return (
        isinstance(fault, sqlite3.Error) and getattr(fault, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    )


def _overwrite(connection: sqlite3.Connection) -> bool:
    """Overwrite frames that are not visible by an fsynced write. Raises `sqlite3.Error`.

    Returns True if what is visible was moved into the database file first, and so is durable.
    """
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT OR REPLACE INTO about VALUES ('settled', ?)", (uuid4().hex,))
    connection.execute("COMMIT")
    return not busy


def _unknown(attempt: _Attempt) -> OutcomeUnknown:
    return OutcomeUnknown(f"the log failed while it wrote: {attempt.fault}")


def _failed(attempt: _Attempt, fault: LogFault) -> AppendResult:
    """Return the fault as the answer of every append that had a part in the commit."""
    return [(append, fault if _writes(append, result) else result) for append, result in attempt.outcome]


def _writes(append: QueuedAppend, outcome: Sequence[int] | LogFault) -> bool:
    """Return True if the append had a part in the commit."""
    return not isinstance(outcome, LogFault) and bool(append.records or append.consumed)


def _place(append: QueuedAppend, reached: Ends, rows: list[Row]) -> Sequence[int]:
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
