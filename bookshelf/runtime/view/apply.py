"""One batch of records into a view's rows, with its checkpoint, in one transaction. Runs in a thread."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError, StatementError

from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.cqrs.view import Change, Recorded, View
from bookshelf.log.port import Record
from bookshelf.storage import ledger

Letter = dict[str, Any]


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

    def apply(self, records: Sequence[Record]) -> int:
        """Apply all, together if that works, else one by one; return how many were parked."""
        ready = [(record, changes) for record in records if (changes := self._prepared(record)) is not None]
        try:
            with self._db.begin_nested():
                ledger.run(self._db, chain.from_iterable(changes for _, changes in ready))
        except OperationalError:
            raise  # the database's fault, not a record's
        except StatementError:
            for record, changes in ready:
                self._apply_one(record, changes)
        ledger.park(self._db, self._letters)
        return len(self._letters)

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
        except OperationalError:
            raise
        except StatementError as fault:
            self._park(record, fault.orig or fault)

    def _held_back(self, record: Record) -> bool:
        if record.key not in self._held:
            return False
        self._letters.append(_letter(record, "an earlier record of this key is parked", behind=True))
        return True

    def _park(self, record: Record, fault: BaseException) -> None:
        self._held.add(record.key)
        self._letters.append(_letter(record, f"{type(fault).__name__}: {fault}", behind=False))


def _letter(record: Record, reason: str, *, behind: bool) -> Letter:
    return {
        "part": record.partition,
        "off": record.offset,
        "key": record.key,
        "value": record.value,
        "reason": reason[:2000],
        "behind": behind,
    }


def apply(db: Connection, view: View, records: Sequence[Record], move: tuple[int, int, int]) -> int:
    """Move the checkpoint (partition, old, new) and apply; return how many records were parked.

    Raises `Superseded`, `OperationalError`.
    """
    ledger.move(db, *move)
    return Batch(db, view).apply(records)
