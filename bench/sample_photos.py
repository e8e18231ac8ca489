"""Sample photos for measurements, with votes and comments: the same in every run. No photo has an image."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.cqrs.message import Event
from bookshelf.log.port import NewRecord
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.photos.events import TOPIC, CommentAdded, PhotoAdded, StoredImage, VoteCast
from bookshelf.photos.parent import comment_key, vote_key
from bookshelf.runtime.data_folder import DataFolder

_BATCH = 5000
#: The day of all votes, and the time of the first photo.
DAY = "2026-11-25"
_DAY_BEGINS, _BEGAN = datetime(2026, 11, 25, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
#: Votes for each photo, comments on ten photos, and one of so many votes is for the first photo.
VOTES_EACH, COMMENTS_ON_TEN, _HOT = 10, 30, 75
_SECOND = timedelta(seconds=1)


def photo_id(number: int) -> str:
    """Return the id of the photo of this number."""
    return f"photo-{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}"


def photos_of(votes: int) -> int:
    """Return how many photos there are with so many votes."""
    return max(20, votes // VOTES_EACH)


def records(votes: int) -> Iterator[NewRecord]:
    """Yield the records of photos, of so many votes for them, and of comments on them."""
    photos = photos_of(votes)
    for number in range(photos):
        yield _record("photo", photo_id(number), _photo(number))
    for number in range(votes):
        photo = 0 if number % _HOT == 0 else number * 7919 % photos
        vote = VoteCast(way=-1 if number % 7 == 0 else 1, at=_DAY_BEGINS + number % 80_000 * _SECOND)
        yield _record("vote", vote_key(photo_id(photo), f"a-{number}"), vote)
    for number in range(photos * COMMENTS_ON_TEN // 10):
        key = comment_key(photo_id(number * 31 % photos), f"{number}")
        at = _DAY_BEGINS + number % 80_000 * _SECOND
        yield _record("comment", key, CommentAdded(person=f"a-{number % 500}", text="What a light!", at=at))


def _photo(number: int) -> PhotoAdded:
    images = [
        StoredImage(
            digest=f"{number:060d}{width:04d}", width=width, height=width, bytes=90_000, type="image/webp"
        )
        for width in (320, 1024, 2048, 4000)
    ]
    return PhotoAdded(
        owner=f"a-{number % 500}",
        title=f"Low tide {number}",
        description="Wet sand to the horizon, and a dog",
        added=_BEGAN + number * _SECOND,
        master=images[-1],
        renditions=tuple(images[:-1]),
        placeholder="UklGRjwAAABXRUJQVlA4IDAAAADQAQCdASoQAAwAAgA0JaQAA3AA/vuUAAA=",
    )


def _record(source: str, key: str, event: Event) -> NewRecord:
    given: dict[str, Any] = {"id": f"{source}-{key}", "commandid": f"command-{source}-{key}"}
    envelope = Envelope(
        specversion="1.0",
        source=source,
        type=event.TYPE,
        subject=key,
        time=_DAY_BEGINS,
        datacontenttype="application/json",
        data=msgspec.Raw(msgspec.json.encode(event)),
        actor="bench",
        **given,
    )
    return NewRecord(key, encode_envelope(envelope))


async def fill(folder: Path, votes: int) -> int:
    """Write a log with so many votes into an empty data folder; return the number of its records."""
    DataFolder(folder).close()
    log = await SqliteLog.open(folder / "log.sqlite")
    written = 0
    try:
        writer = await log.writer("bench", TOPIC, 0)
        waiting = records(votes)
        while batch := list(islice(waiting, _BATCH)):
            written += len(await writer.append(batch))
    finally:
        await log.close()
    return written
