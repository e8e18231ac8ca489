"""Stores a large state by its few latest records: a hot state is not written again with each of them."""

from collections.abc import Iterable, Mapping, Sequence

from bookshelf.log.port import Record

#: Bytes of a stored snapshot from which on it counts as large.
LARGE = 4096
#: Records after the stored snapshot of one key at the most: they are folded again when it is loaded.
RECORDS_MOST = 64

#: The records of each key since its last flush; None if its present state does not follow from the stored
#: one and records alone.
Recent = Mapping[str, Sequence[Record] | None]


class LaterRecords:
    """Knows for which keys it is enough to store their latest records, beside the snapshot that is stored.

    That is so for a key whose stored snapshot is large, as long as the records after it have no more bytes
    than it. So what is written for a state grows with its changes, and not with its size.
    """

    def __init__(self) -> None:
        #: Of each large snapshot that is stored: its bytes, and bytes and number of the records after it.
        self._stored: dict[str, tuple[int, int, int]] = {}
        self._recent: dict[str, list[Record] | None] = {}

    def loaded(self, key: str, whole: int, records: Sequence[Record]) -> None:
        """Note what is stored for a key: a snapshot of so many bytes, and the records after it."""
        if whole >= LARGE:
            self._stored[key] = whole, bytes_of(records), len(records)

    def forget(self, key: str) -> None:
        """Forget what is stored for a key: its next flush stores the snapshot."""
        self._stored.pop(key, None)

    def add(self, key: str, record: Record | None) -> None:
        """Note a change of a key, and the record that has led to it, if it was one."""
        if record is None or key not in self._stored:
            self._recent[key] = None
            return
        recent = self._recent.setdefault(key, [])
        if recent is not None:
            recent.append(record)

    def take(self) -> Recent:
        """Return all changes since the last time, for a flush."""
        taken, self._recent = self._recent, {}
        return taken

    def put_back(self, taken: Recent) -> None:
        """Add changes again that could not be stored; they came before those that are there."""
        for key, records in taken.items():
            later = self._recent.get(key, ())
            self._recent[key] = None if records is None or later is None else [*records, *later]

    def enough(self, taken: Recent) -> dict[str, Sequence[Record]]:
        """Return those of the taken changes that are to be stored by their records."""
        return {key: records for key, records in taken.items() if records and self._fits(key, records)}

    def _fits(self, key: str, records: Sequence[Record]) -> bool:
        if key not in self._stored:
            return False
        whole, size, number = self._stored[key]
        return size + bytes_of(records) <= whole and number + len(records) <= RECORDS_MOST

    def saved(self, lengths: Mapping[str, int], by_records: Mapping[str, Sequence[Record]]) -> None:
        """Note what was stored: snapshots of so many bytes, and records."""
        for key, whole in lengths.items():
            self.forget(key)
            self.loaded(key, whole, ())
        for key, records in by_records.items():
            if key in self._stored:  # else it has left the memory meanwhile
                whole, size, number = self._stored[key]
                self._stored[key] = whole, size + bytes_of(records), number + len(records)


def large(values: Mapping[str, bytes]) -> list[str]:
    """Return the keys of large snapshots: only these can have records stored after them."""
    return [key for key, value in values.items() if len(value) >= LARGE]


def bytes_of(records: Iterable[Record]) -> int:
    """Return the bytes of the values of records."""
    return sum(len(record.value) for record in records)
