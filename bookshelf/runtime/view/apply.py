"""Applies a batch of records to a view's tables and moves its checkpoint, in one transaction, in a thread."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import Connection

from bookshelf.cqrs.envelope import DROPPED, decode_envelope, dropped
from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.parent import SEPARATOR, is_child, parent_of
from bookshelf.cqrs.view import Change, View, recorded_event
from bookshelf.log.port import Record
from bookshelf.runtime.sealing import Opener
from bookshelf.storage import checkpoints, statements
from bookshelf.storage.faults import of_storage

UnappliedRecord = dict[str, Any]
Ready = list[tuple[Record, Sequence[Change]]]
_DROPPED = DROPPED.encode()


def prepare(view: View, record: Record, opener: Opener | None = None) -> Sequence[Change]:
    """Return the changes of rows that a record leads to; none if its type is unknown.

    `opener` opens the sealed texts of the event, for a view that `opens` them.

    Raises `Malformed`, `SealBroken`, `KeyringFault`, or whatever the view's handler raises.
    """
    envelope, event = view.catalogue.read(record.value)
    if event is None:
        return ()
    if opener is not None:
        event = opener.opened(event)
    recorded = recorded_event(event, envelope, record.partition, record.offset)
    return tuple(view.changes(recorded))


#: The reasons of records that are held back: as such, and if an operator has given them up meanwhile.
BEHIND = "an earlier record of this key is a dead letter"
_GIVEN_UP = "given up; "
#: Dead letters that are read from the table at once.
_READ_AT_ONCE = 100


class Batch:
    """Applies records in order. One that cannot be applied becomes a dead letter and holds back its key.

    In a view whose rows are those of parents, it holds back the keys of its children too.
    """

    def __init__(self, db: Connection, view: View, opener: Opener | None = None) -> None:
        self._db = db
        self._opener = opener
        self._view = view
        self._held: set[str] = set()
        self._dead_letters: list[UnappliedRecord] = []
        self._set_aside_count = 0

    def apply(self, records: Sequence[Record]) -> int:
        """Apply all records, together if possible, else one by one; return how many became dead letters."""
        self._held = self._held_of({_key(record) for record in records})
        ready: Ready = []
        for record in records:
            if (offset := _dropped(record)) is not None:
                self._write(ready)
                self._give_up(record, offset)
            elif self._holds_back(record):
                self._set_aside(record, BEHIND, behind=True)
            elif isinstance(changes := self._prepare(record), BaseException):
                self._write(ready)  # first those before it: only later records of its key are held back
                self._set_aside_poison(record, changes)
            else:
                ready.append((record, changes))
        self._write(ready)
        return self._set_aside_count

    def _held_of(self, keys: AbstractSet[str]) -> set[str]:
        parents = {parent_of(key) for key in keys} if self._view.by_parent else set[str]()
        return checkpoints.held_keys(self._db, keys | parents)

    def _holds_back(self, record: Record) -> bool:
        key = _key(record)
        return key in self._held or (self._view.by_parent and parent_of(key) in self._held)

    def _give_up(self, record: Record, offset: int) -> None:
        """Remove the dead letter at an offset, and apply the records that it held back.

        If that record is itself held back, it is marked, and skipped only if it still fails when its turn
        comes. All readers of the log then agree: each skips a given up record only if it cannot apply it.
        """
        key = _key(record)
        letter = checkpoints.dead_letter_at(self._db, record.partition, offset)
        if letter is None or letter.key != key:
            return
        if letter.behind:
            checkpoints.set_reason(self._db, letter.part, letter.off, _GIVEN_UP + BEHIND, behind=True)
            return
        checkpoints.remove_dead_letters(self._db, [(letter.part, letter.off)])
        self.resume(record.topic, key)

    def resume(self, topic: str, key: str) -> int:
        """Apply a key's dead letters in order, up to the first that fails; return how many were applied.

        Then follow those of its children, which it has held back; a child's own wait for the parent's.
        """
        if self._view.by_parent and is_child(key) and self._held_of({parent_of(key)}):
            return 0
        applied, most = 0, 1  # more than one is read only after the first was applied: it may fail again
        while letters := checkpoints.read_dead_letters(self._db, key, most):
            most = _READ_AT_ONCE
            records = [Record(topic, row.part, row.off, row.key, row.value) for row in letters]
            faults = self._try(records, [row.reason.startswith(_GIVEN_UP) for row in letters])
            done = [record for record, fault in zip(records, faults, strict=False) if fault is None]
            applied += len(done)
            failed = faults[-1] is not None and not letters[len(faults) - 1].reason.startswith(_GIVEN_UP)
            past = records[: len(faults) - failed]
            checkpoints.remove_dead_letters(self._db, [(record.partition, record.offset) for record in past])
            if failed:
                first = records[len(faults) - 1]
                checkpoints.set_reason(self._db, first.partition, first.offset, _reason(faults[-1]))
                self._held.add(key)
                return applied
        self._held.discard(key)
        return applied + self._resume_children(topic, key)

    def _resume_children(self, topic: str, key: str) -> int:
        if not self._view.by_parent or is_child(key):
            return 0
        applied, child = 0, checkpoints.next_key(self._db, key + SEPARATOR)
        while child is not None and parent_of(child) == key:
            applied += self.resume(topic, child)
            child = checkpoints.next_key(self._db, child)
        return applied

    def _try(self, records: Sequence[Record], given_up: Sequence[bool]) -> list[BaseException | None]:
        """Apply records together if possible, else one by one up to the first failure; return their faults.

        The failure of a given up record does not end this.
        """
        ready = [self._prepare(record) for record in records]
        if not any(isinstance(changes, BaseException) for changes in ready):
            changes = [part for part in ready if not isinstance(part, BaseException)]
            if self._run(zip(records, changes, strict=True)) is None:
                return [None] * len(records)
        faults: list[BaseException | None] = []
        for record, prepared, may_fail in zip(records, ready, given_up, strict=True):
            fault = prepared if isinstance(prepared, BaseException) else self._run([(record, prepared)])
            faults.append(fault)
            if fault is not None and not may_fail:
                break
        return faults

    def _write(self, ready: Ready) -> None:
        """Apply the ready records and clear the list; write the new dead letters to their table."""
        if ready and self._run(ready) is not None:
            for record, changes in ready:
                if self._holds_back(record):
                    self._set_aside(record, BEHIND, behind=True)
                elif (fault := self._run([(record, changes)])) is not None:
                    self._set_aside_poison(record, fault)
        ready.clear()
        checkpoints.add_dead_letters(self._db, self._dead_letters)
        self._dead_letters.clear()

    def _run(self, ready: Iterable[tuple[Record, Sequence[Change]]]) -> BaseException | None:
        """Run the statements of records, all or none; return their fault, or None.

        Raises faults of the storage itself.
        """
        try:
            with self._db.begin_nested():
                statements.run(
                    self._db,
                    ((self._view.key_of(record.key), changes) for record, changes in ready),
                )
        except Exception as fault:
            if of_storage(fault):
                raise
            return getattr(fault, "orig", None) or fault
        return None

    def _prepare(self, record: Record) -> Sequence[Change] | BaseException:
        try:
            return prepare(self._view, record, self._opener)
        except Exception as fault:  # noqa: BLE001 (whatever the fault, the other records are applied)
            return fault

    def _set_aside_poison(self, record: Record, fault: BaseException) -> None:
        self._held.add(_key(record))
        self._set_aside(record, _reason(fault), behind=False)

    def _set_aside(self, record: Record, reason: str, *, behind: bool) -> None:
        self._dead_letters.append(_dead_letter(record, reason, behind=behind))
        self._set_aside_count += 1


def _key(record: Record) -> str:
    """Return the key as a column can hold it: PostgreSQL's text has no NUL."""
    return record.key.replace("\0", "\ufffd")


def _dropped(record: Record) -> int | None:
    if _DROPPED not in record.value:
        return None
    try:
        return dropped(decode_envelope(record.value))
    except Malformed:
        return None  # then it becomes a dead letter itself


def _dead_letter(record: Record, reason: str, *, behind: bool) -> UnappliedRecord:
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
    # the text may quote the record, which may have characters that a database refuses
    return text[:2000].encode(errors="backslashreplace").decode().replace("\0", "\\x00")


def apply(
    db: Connection,
    view: View,
    records: Sequence[Record],
    move: tuple[int, int, int, str],
    opener: Opener | None = None,
) -> int:
    """Move the checkpoint (partition, old, new, mark) and apply; return how many became dead letters.

    Raises `Superseded` if the checkpoint is not at the old offset, or a fault of the database.
    """
    checkpoints.move(db, *move)
    return Batch(db, view, opener).apply(records)
