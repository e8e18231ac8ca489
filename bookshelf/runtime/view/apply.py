"""One batch of records into a view's rows, with its checkpoint, in one transaction. Runs in a thread."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection

from bookshelf.cqrs.envelope import DROPPED, decode_envelope, dropped
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.view import Change, Recorded, View
from bookshelf.log.port import Record
from bookshelf.storage import checkpoints
from bookshelf.storage.faults import of_storage

UnappliedRecord = dict[str, Any]
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


#: Why a record is parked that failed for no reason of its own, and of one that was given up while it waited.
BEHIND = "an earlier record of this key is parked"
GIVEN_UP = f"given up; {BEHIND}"
#: Dead letters that are read at once.
_LETTERS = 100


class Batch:
    """Applies records in order; what cannot be applied is parked, and what follows it of the same key."""

    def __init__(self, db: Connection, view: View) -> None:
        self._db = db
        self._view = view
        self._held: set[str] = set()
        self._letters: list[UnappliedRecord] = []
        self._parked = 0

    def apply(self, records: Sequence[Record]) -> int:
        """Apply all, together if that works, else one by one; return how many were parked."""
        self._held = checkpoints.held_keys(self._db, {_key(record) for record in records})
        ready: Ready = []
        for record in records:
            if (offset := _dropped(record)) is not None:
                self._write(ready)
                self._give_up(record, offset)
            elif _key(record) in self._held:
                self._park(record, BEHIND, behind=True)
            elif isinstance(changes := self._prepare(record), BaseException):
                self._write(ready)  # a record is held back by an earlier one only
                self._park_poison(record, changes)
            else:
                ready.append((record, changes))
        self._write(ready)
        return self._parked

    def _give_up(self, record: Record, offset: int) -> None:
        """Do without the record at an offset, if it can't be applied; apply those that waited behind it.

        A record that itself waits is tried once those before it are done with: all readers of the log then
        agree, because each does without a given up record only if it can't apply it.
        """
        key = _key(record)
        letter = checkpoints.letter_at(self._db, record.partition, offset)
        if letter is None or letter.key != key:
            return
        if letter.behind:
            checkpoints.blame(self._db, letter.part, letter.off, GIVEN_UP, behind=True)
            return
        checkpoints.unpark(self._db, [(letter.part, letter.off)])
        self.resume(record.topic, key)

    def resume(self, topic: str, key: str) -> int:
        """Apply a key's dead letters in order, up to the first that fails; return how many were applied."""
        applied, most = 0, 1  # the next one may fail as well: many are read only after one that did not
        while letters := checkpoints.letters(self._db, key, most):
            most = _LETTERS
            records = [Record(topic, row.part, row.off, row.key, row.value) for row in letters]
            faults = self._try(records, [row.reason == GIVEN_UP for row in letters])
            done = [record for record, fault in zip(records, faults, strict=False) if fault is None]
            applied += len(done)
            failed = faults[-1] is not None and letters[len(faults) - 1].reason != GIVEN_UP
            past = records[: len(faults) - failed]
            checkpoints.unpark(self._db, [(record.partition, record.offset) for record in past])
            if failed:
                first = records[len(faults) - 1]
                checkpoints.blame(self._db, first.partition, first.offset, _reason(faults[-1]))
                self._held.add(key)
                return applied
        self._held.discard(key)
        return applied

    def _try(self, records: Sequence[Record], given_up: Sequence[bool]) -> list[BaseException | None]:
        """Apply records together if that works, else one by one up to the first failure; return their faults.

        A record that is given up may fail.
        """
        ready = [self._prepare(record) for record in records]
        if not any(isinstance(changes, BaseException) for changes in ready):
            changes = chain.from_iterable(one for one in ready if not isinstance(one, BaseException))
            if self._run(changes) is None:
                return [None] * len(records)
        faults: list[BaseException | None] = []
        for one, may_fail in zip(ready, given_up, strict=True):
            faults.append(one if isinstance(one, BaseException) else self._run(one))
            if faults[-1] is not None and not may_fail:
                break
        return faults

    def _write(self, ready: Ready) -> None:
        """Apply what is ready, and clear it; keep what is parked by now."""
        if ready and self._run(chain.from_iterable(changes for _, changes in ready)) is not None:
            for record, changes in ready:
                if _key(record) in self._held:
                    self._park(record, BEHIND, behind=True)
                elif (fault := self._run(changes)) is not None:
                    self._park_poison(record, fault)
        ready.clear()
        checkpoints.park(self._db, self._letters)
        self._letters.clear()

    def _run(self, changes: Iterable[Change]) -> BaseException | None:
        """Run statements, all or none; return what is wrong with them. Raises what is the storage's fault."""
        try:
            with self._db.begin_nested():
                checkpoints.run(self._db, changes)
        except Exception as fault:
            if of_storage(fault):
                raise
            return getattr(fault, "orig", None) or fault
        return None

    def _prepare(self, record: Record) -> Sequence[Change] | BaseException:
        try:
            return prepare(self._view, record)
        except Exception as fault:  # noqa: BLE001 (whatever a record does to its handler, the rest goes on)
            return fault

    def _park_poison(self, record: Record, fault: BaseException) -> None:
        self._held.add(_key(record))
        self._park(record, _reason(fault), behind=False)

    def _park(self, record: Record, reason: str, *, behind: bool) -> None:
        self._letters.append(_letter(record, reason, behind=behind))
        self._parked += 1


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


def _letter(record: Record, reason: str, *, behind: bool) -> UnappliedRecord:
    return {
        "part": record.partition,
        "off": record.offset,
        "key": _key(record),
        "value": record.value,
        "reason": reason,
        "behind": behind,
    }


def _reason(fault: BaseException | None) -> str:
    text = f"{type(fault).__name__}: {fault}"
    # it may quote the record, and not every text fits a database
    return text[:2000].encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def apply(db: Connection, view: View, records: Sequence[Record], move: tuple[int, int, int, str]) -> int:
    """Move the checkpoint (partition, old, new, mark) and apply; return how many records were parked.

    Raises `Superseded`, or what is the database's fault.
    """
    checkpoints.move(db, *move)
    return Batch(db, view).apply(records)
