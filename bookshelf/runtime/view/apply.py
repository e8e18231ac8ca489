"""One batch of records into a view's rows, with its checkpoint, in one transaction. Runs in a thread."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from bookshelf.cqrs.envelope import DROPPED, decode_envelope, dropped
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.view import Change, Recorded, View
from bookshelf.log.port import Record
from bookshelf.storage import ledger
from bookshelf.storage.faults import of_storage

Letter = dict[str, Any]
Ready = list[tuple[Record, Sequence[Change]]]
_DROPPED = DROPPED.encode()


def prepare(view: View, record: Record) -> Sequence[Change]:
    """Return what a record changes; nothing if its type is unknown. Raises whatever is wrong with it."""
    envelope = decode_envelope(record.value)
    data = bytes(envelope.data)
    event = view.catalogue.decode(envelope.type, data)
    if event is None:
        return ()
    recorded = Recorded(
        event=event,
        subject=envelope.subject,
        type=envelope.type,
        partition=record.partition,
        offset=record.offset,
        time=envelope.time,
        actor=envelope.actor,
        data=data,
    )
    return tuple(view.changes(recorded))


class Batch:
    """Applies records in order; what cannot be applied is parked, and what follows it of the same key."""

    def __init__(self, db: Connection, view: View) -> None:
        self._db = db
        self._view = view
        self._held = ledger.held_keys(db)
        self._letters: list[Letter] = []
        self._parked = 0

    def apply(self, records: Sequence[Record]) -> int:
        """Apply all, together if that works, else one by one; return how many were parked."""
        ready: Ready = []
        for record in records:
            gone = _dropped(record)
            if gone is not None:
                self._write(ready)
                ready = []
                self._let_go(record, gone)
            elif (changes := self._prepared(record)) is not None:
                ready.append((record, changes))
        self._write(ready)
        return self._parked

    def _let_go(self, record: Record, offset: int) -> None:
        """Forget the letter at an offset of the record's partition, and apply what waited behind it."""
        key = _key(record)
        waiting = ledger.letters(self._db, key)
        place = (record.partition, offset)
        if all((row.part, row.off) != place for row in waiting):
            return
        for row in waiting:
            ledger.unpark(self._db, row.part, row.off)
        self._held.discard(key)
        rest = [Record(record.topic, row.part, row.off, row.key, row.value) for row in waiting]
        self.apply([one for one in rest if (one.partition, one.offset) != place])

    def _write(self, ready: Ready) -> None:
        try:
            with self._db.begin_nested():
                ledger.run(self._db, chain.from_iterable(changes for _, changes in ready))
        except Exception as fault:
            if of_storage(fault):
                raise
            for record, changes in ready:
                self._apply_one(record, changes)
        ledger.park(self._db, self._letters)
        self._parked += len(self._letters)
        self._letters.clear()

    def _prepared(self, record: Record) -> Sequence[Change] | None:
        if self._held_back(record):
            return None
        try:
            return prepare(self._view, record)
        except Exception as fault:  # noqa: BLE001 (whatever a record does to its handler, the rest goes on)
            self._park(record, fault)
            return None

    def _apply_one(self, record: Record, changes: Sequence[Change]) -> None:
        if self._held_back(record):
            return
        try:
            with self._db.begin_nested():
                ledger.run(self._db, changes)
        except Exception as fault:
            if of_storage(fault):
                raise
            self._park(record, getattr(fault, "orig", None) or fault)

    def _held_back(self, record: Record) -> bool:
        if _key(record) not in self._held:
            return False
        self._letters.append(_letter(record, "an earlier record of this key is parked", behind=True))
        return True

    def _park(self, record: Record, fault: BaseException) -> None:
        self._held.add(_key(record))
        self._letters.append(_letter(record, f"{type(fault).__name__}: {fault}", behind=False))


def _key(record: Record) -> str:
    """Return the key as rows can hold it: a NUL fits no text of PostgreSQL's."""
    return record.key.replace("\0", "\ufffd")


def _dropped(record: Record) -> int | None:
    if _DROPPED not in record.value:
        return None
    try:
        return dropped(decode_envelope(record.value))
    except Malformed:
        return None  # it is a letter itself, then


def _letter(record: Record, reason: str, *, behind: bool) -> Letter:
    return {
        "part": record.partition,
        "off": record.offset,
        "key": _key(record),
        "value": record.value,
        # it may quote the record, and not every text fits a database
        "reason": reason[:2000].encode(errors="backslashreplace").decode().replace("\0", "\\x00"),
        "behind": behind,
    }


def apply(db: Connection, view: View, records: Sequence[Record], move: tuple[int, int, int, str]) -> int:
    """Move the checkpoint (partition, old, new, mark) and apply; return how many records were parked.

    Raises `Superseded`, or what is the database's fault.
    """
    ledger.move(db, *move)
    return Batch(db, view).apply(records)
