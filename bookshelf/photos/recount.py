"""Recounts votes, comments and deletions from the records of the log, without the code that wrote them.

The invariants have the numbers of `INVARIANTS`. What holds at each record is checked while it is added.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

import msgspec

from bookshelf.cqrs.errors import Malformed
from bookshelf.cqrs.parent import SEPARATOR
from bookshelf.photos import events
from bookshelf.photos.events import EVENTS

INVARIANTS: Mapping[str, str] = {
    "I1": "counts in rows equal a fold of the log",
    "I2": "a person counts once for a photo",
    "I3": "what follows the removal of a photo has no effect",
    "I4": "a removal has a reason that allows it",
    "I7": "nothing of a deleted person is left",
    "I8": "a photo is added once",
}
_REASONS = frozenset({"owner", "moderator", "profile-deleted"})


_LONG_AGO, _AT_LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class PhotoCounts(msgspec.Struct):
    """What a photo has: its owner, votes by person, and comments with their authors by id, with the times."""

    owner: str
    added: datetime = _LONG_AGO
    votes: dict[str, tuple[int, datetime]] = msgspec.field(default_factory=dict)
    comments: dict[str, tuple[str, datetime]] = msgspec.field(default_factory=dict)
    removed: bool = False

    @property
    def counts(self) -> tuple[int, int, int]:
        """The votes up, the votes down, and the comments."""
        ways = [way for way, _ in self.votes.values()]
        return ways.count(1), ways.count(-1), len(self.comments)


class Left(msgspec.Struct, frozen=True):
    """What is left of a person whose profile is being deleted, and the round of the deletion."""

    person: str
    round: int
    photos: int
    comments: int
    votes: int


class PhotoRecount:
    """The photos of the records that were added, in the order of each partition."""

    def __init__(self) -> None:
        self.photos: dict[str, PhotoCounts] = {}
        self.closing: dict[str, int] = {}
        #: The times up to which nothing of these persons may be left.
        self.closed: dict[str, datetime] = {}
        self._closing_at: dict[str, datetime] = {}
        self.without_effect = 0
        self.violations: list[str] = []
        self.unreadable: list[str] = []

    def add(self, key: str, value: bytes) -> None:
        """Add a record of the topic."""
        try:
            _, event = EVENTS.read(value)
        except Malformed as fault:
            self.unreadable.append(f"{key[:100]}: {fault}")
            return
        match event:
            case events.PhotoAdded(owner=owner, added=added):
                if key in self.photos:
                    self._fail("I8", key, "it is added a second time")
                self.photos[key] = PhotoCounts(owner, added)
            case events.PhotoRemoved(reason=reason, text=text):
                if reason not in _REASONS or (reason == "moderator" and not text):
                    self._fail("I4", key, f"the reason of its removal is {reason!r} without a text")
                self._photo(key).removed = True
            case events.ProfileClosing() | events.ProfileClosed() | events.ProfileRegistered():
                self._of_profile(key, event)
            case None | events.PhotoDescribed() | events.ProfileChanged() | events.ProfileRechecked():
                pass
            case _:
                self._of_child(key, event)

    def _of_profile(self, person: str, event: object) -> None:
        match event:
            case events.ProfileClosing(round=number, at=at):
                self.closing[person], self._closing_at[person] = number, at
                self.closed.pop(person, None)
            case events.ProfileClosed():
                self.closing.pop(person, None)
                self.closed[person] = self._closing_at.get(person, _LONG_AGO)
            case events.ProfileRegistered():
                self.closed.pop(person, None)

    def _of_child(self, key: str, event: object) -> None:
        photo_id, _, child = key.partition(SEPARATOR)
        photo, name = self._photo(photo_id), child[2:]
        match event:
            case events.VoteCast() | events.CommentAdded() if photo.removed:
                self.without_effect += 1
            case events.VoteCast(way=way, at=at, previous=previous):
                if (counted := photo.votes.get(name, (None,))[0]) != previous:
                    self._fail("I2", key, f"it replaces {previous}, and counts {counted}")
                photo.votes[name] = way, at
            case events.VoteWithdrawn() if photo.removed and name not in photo.votes:
                self.without_effect += 1  # of a vote that came at the same time as the removal
            case events.VoteWithdrawn(previous=previous):
                if photo.votes.pop(name, (None,))[0] != previous:
                    self._fail("I2", key, f"it takes {previous} back, which does not count")
            case events.CommentAdded(person=person, at=at):
                photo.comments[name] = person, at
            case events.CommentRemoved():
                photo.comments.pop(name, None)

    def _photo(self, photo: str) -> PhotoCounts:
        found = self.photos.get(photo)
        if found is None:
            self._fail("I3", photo, "it is not there, and something of it is")
            found = self.photos[photo] = PhotoCounts("")
        return found

    def _fail(self, invariant: str, key: str, text: str) -> None:
        self.violations.append(f"{invariant} {key}: {text}")

    def left(self) -> list[Left]:
        """Return what is left of each person whose profile is being deleted."""
        found = self._of_persons(dict.fromkeys(self.closing, _AT_LAST))
        return [Left(person, number, *found[person]) for person, number in sorted(self.closing.items())]

    def deletions_incomplete(self) -> Iterator[str]:
        """Yield the deleted persons that something is left of, beside what they have published since."""
        for person, (photos, comments, votes) in self._of_persons(self.closed).items():
            if photos or comments or votes:
                yield f"I7 {person}: {photos} photos, {comments} comments and {votes} votes are left"

    def _of_persons(self, persons: Mapping[str, datetime]) -> dict[str, tuple[int, int, int]]:
        """Count what each of these persons has published up to a time."""
        photos: defaultdict[str, int] = defaultdict(int)
        comments: defaultdict[str, int] = defaultdict(int)
        votes: defaultdict[str, int] = defaultdict(int)
        for photo in self.photos.values():
            photos[photo.owner] += not photo.removed and photo.added <= persons.get(photo.owner, _LONG_AGO)
            for person, at in photo.comments.values():
                comments[person] += at <= persons.get(person, _LONG_AGO)
            for person, (_, at) in photo.votes.items():
                votes[person] += at <= persons.get(person, _LONG_AGO)
        return {person: (photos[person], comments[person], votes[person]) for person in persons}

    def compared(self, rows: Iterable[tuple[str, int, int, int]]) -> Iterator[str]:
        """Yield where rows of live photos (id, up, down, comments) differ from the log."""
        found = {photo: (up, down, comments) for photo, up, down, comments in rows}
        live = {photo: counts.counts for photo, counts in self.photos.items() if not counts.removed}
        for photo in sorted(found.keys() | live.keys()):
            if found.get(photo) != live.get(photo):
                yield f"I1 {photo}: rows have {found.get(photo)}, the log has {live.get(photo)}"
