"""Finds the uploaded files that no product refers to."""

from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec

from bookshelf.cqrs.errors import Malformed
from bookshelf.files.file import EVENTS, FileDeleted, FileStored
from bookshelf.log.port import Record


class UnusedFile(msgspec.Struct, frozen=True):
    """A file that no product refers to, and when it was stored last."""

    id: str
    bytes: int
    stored: datetime


def find_unused(records: Iterable[Record], used: Collection[str]) -> list[UnusedFile]:
    """Return the files of these records that are stored and not used, the oldest first."""
    stored: dict[str, UnusedFile] = {}
    for record in records:
        try:
            envelope, event = EVENTS.read(record.value)
        except Malformed:
            continue
        if isinstance(event, FileStored):
            stored[record.key] = UnusedFile(record.key, event.bytes, envelope.time)
        elif isinstance(event, FileDeleted):
            stored.pop(record.key, None)
    return sorted((file for key, file in stored.items() if key not in used), key=lambda file: file.stored)
