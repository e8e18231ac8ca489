"""Photos without an event loop: the real deciders, view (on SQLite) and deletion of profiles.

Photos, votes and comments are in partition 0, profiles in partition 1. Random numbers choose the part that
acts, with how many records, and which command comes late or twice. Owners decide on their own newest events;
of photos they may have read less.
"""

from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import create_engine, select
from sqlalchemy.exc import IntegrityError
from support.counter_context import said
from support.fixed_infrastructure import NOW
from support.photo_events import photo_added

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.errors import NotFound, Refused
from bookshelf.cqrs.message import Command, Event
from bookshelf.cqrs.parent import parent_of
from bookshelf.cqrs.process import Send
from bookshelf.cqrs.view import Recorded, View
from bookshelf.photos.comment import COMMENT, AddComment, RemoveComment
from bookshelf.photos.deletion import profile_deletion
from bookshelf.photos.events import CommentAdded, ProfileClosing, ProfileRechecked, VoteCast
from bookshelf.photos.fields import UPLOAD_S
from bookshelf.photos.parent import PublishedPhoto, comment_key, vote_key
from bookshelf.photos.photo import PHOTO, AddPhoto, RemovePhoto
from bookshelf.photos.profile import PROFILE, CloseProfile, RegisterProfile
from bookshelf.photos.recount import PhotoRecount
from bookshelf.photos.timelines.handlers import timelines_view
from bookshelf.photos.timelines.tables import LIVE, OPEN, people, photos
from bookshelf.photos.vote import VOTE, CastVote, WithdrawVote

PERSONS = ("ann", "ben", "eve")
VIEW = timelines_view("UTC")
DELETION = profile_deletion(VIEW)
_COMMAND_S = 30.0
_NAME = "a name"


class Appended(NamedTuple):
    """One record, and the event in it."""

    key: str
    event: Event


class UnderWay(NamedTuple):
    """A command that has not come yet, and the time after which it is refused."""

    send: Send
    end: datetime


@dataclass(frozen=True)
class PhotoParts:
    """What a simulation runs: each part may be replaced by a defective one."""

    aggregates: tuple[Aggregate[Any], ...] = (PHOTO, VOTE, COMMENT, PROFILE)
    view: View = VIEW
    deletion: Connector = DELETION
    #: Votes are decided on what their owner has read, as if nothing fenced it.
    unfenced: bool = False


class Ports:
    """The ports of the connector: a query waits until the view has the whole log."""

    def __init__(self, simulated: "SimulatedPhotos") -> None:
        self._simulated = simulated

    async def query(self, _view: View, read: Any, *, to_end: bool) -> Any:  # noqa: ANN401 (what is read)
        assert to_end
        return self._simulated.read(read)


class SimulatedPhotos:
    """The log, what owners and the view have read of it, and the commands that are under way."""

    def __init__(self, seed: int, parts: PhotoParts | None = None) -> None:
        self.parts = parts or PhotoParts()
        self.random = Random(seed)  # noqa: S311 (no secret)
        self.now = NOW
        self.log: Mapping[int, list[Appended]] = {0: [], 1: []}
        self.under_way: list[UnderWay] = []
        self.broken: set[str] = set()
        self._aggregates = {aggregate.name: aggregate for aggregate in self.parts.aggregates}
        self._read: Counter[str] = Counter()
        self._applied: Counter[int] = Counter()
        self._called = 0
        self._numbers = Counter[str]()
        self._db = create_engine("sqlite://").connect()
        self.parts.view.tables.create_all(self._db)

    # the owners

    def _owned(self, name: str, key: str, upto: int | None = None) -> tuple[Any, PublishedPhoto]:
        """Return the state of an aggregate instance after so many records, and that of its photo."""
        aggregate, parent = self._aggregates[name], self._aggregates["vote"].parent
        assert parent is not None
        state, photo = aggregate.initial, parent.initial
        for appended in self.log[name == "profile"][:upto]:
            if appended.key == parent_of(key) and type(appended.event) in parent.folds:
                photo = parent.evolve(photo, appended.event)
            if appended.key == key and (aggregate.parent is None or parent.admits(photo, appended.event)):
                state = aggregate.evolve(state, appended.event)
        return state, photo

    def decide(self, name: str, key: str, command: Command) -> None:
        """Let an owner carry out a command, which has read the events of photos up to some place."""
        aggregate, log = self._aggregates[name], self.log[name == "profile"]
        self._read[name] = self.random.randint(self._read[name], len(log))
        state, _ = self._owned(name, key, self._read[name] if self.parts.unfenced else None)
        photo = self._owned(name, key, self._read[name])[1]
        try:
            events = self._events(aggregate, state, command, photo)
        except NotFound:  # the owner reads to the end before it refuses
            photo = self._owned(name, key)[1]
            events = self._events(aggregate, state, command, photo)
        if photo.removed and any(isinstance(event, VoteCast | CommentAdded) for event in events):
            self.broken.add("I3")
        log += [Appended(key, event) for event in events]

    @staticmethod
    def _events(
        aggregate: Aggregate[Any], state: object, command: Command, photo: PublishedPhoto
    ) -> list[Event]:
        known = () if aggregate.parent is None else (photo,)
        return aggregate.decide(state, command, *known)

    # the view and the connector

    def apply(self, partition: int, most: int) -> None:
        """Let the view apply some records of a partition."""
        start = self._applied[partition]
        for offset, (key, event) in enumerate(self.log[partition][start : start + most], start):
            recorded = self._recorded(partition, offset, key, event)
            try:
                for statement, values in self.parts.view.changes(recorded):
                    self._db.execute(statement, values)
            except IntegrityError:  # a dead letter
                self.broken.add("unapplied")
            self._applied[partition] = offset + 1

    def _recorded(self, partition: int, offset: int, key: str, event: Event) -> Recorded:
        texts = dict.fromkeys(("actor", "command", "correlation", "undoes"), "")
        return Recorded(
            event=event,
            id=f"{partition}-{offset}",
            subject=key,
            type=event.TYPE,
            partition=partition,
            offset=offset,
            time=self.now,
            data=b"",
            **texts,
        )

    def read(self, read: Any) -> Any:  # noqa: ANN401 (a query)
        """Return the answer to a query once the view has everything."""
        for partition, appended in self.log.items():
            self.apply(partition, len(appended))
        return read(self._db)

    def call(self) -> None:
        """Let the connector act on its next event."""
        while self._called < len(self.log[1]):
            offset, (person, event) = self._called, self.log[1][self._called]
            self._called += 1
            if isinstance(event, ProfileClosing | ProfileRechecked):
                call = self.parts.deletion.calls.get(type(event))
                if call is not None:
                    recorded = self._recorded(1, offset, person, event)
                    sends = _result(call(event, recorded, recorded.id, Ports(self)))  # type: ignore[arg-type]
                    self.under_way += [UnderWay(send, self.now + timedelta(days=1)) for send in sends]
                return

    # time and clients

    def ask(self, to: Aggregate[Any], subject: str, command: Command, seconds: float = _COMMAND_S) -> None:
        """Send a command of a client, which comes within these seconds or not at all."""
        self.under_way.append(UnderWay(Send(to, subject, command), self.now + timedelta(seconds=seconds)))

    def deliver(self) -> None:
        """Let a command come that is under way, maybe for the first of two times."""
        place = self.random.randrange(len(self.under_way))
        come = self.under_way[place]
        if self.random.random() < 0.9:  # one of ten comes again
            del self.under_way[place]
        if self.now <= come.end:
            with suppress(Refused):
                self.decide(come.send.to.name, come.send.subject, come.send.command)

    def pass_time(self, seconds: float) -> None:
        """Move the clock, and carry out the deadlines that have passed."""
        self.now += timedelta(seconds=seconds)
        for person in PERSONS:
            due = self._aggregates["profile"].due
            assert due is not None
            upcoming = due(self._owned("profile", person)[0])
            if upcoming is not None and upcoming[0] <= self.now:
                self.decide("profile", person, upcoming[1])

    def step(self) -> None:
        """Let one of them act."""
        random = self.random
        choice = random.choice([*"aaaaadddddvvc", "t"])
        match choice:
            case "a":
                self._ask_something()
            case "d" if self.under_way:
                self.deliver()
            case "v":
                self.apply(random.randrange(2), random.randint(1, 5))
            case "c":
                self.call()
            case "t":
                self.pass_time(random.choice([0.5, 1.0, 5.0, 40.0]))

    def _ask_something(self) -> None:
        random, person, at = self.random, self.random.choice(PERSONS), self.now
        photo = f"p{self._newest('photo', 3)}"
        comment = comment_key(photo, str(self._newest("comment", 6)))
        match random.choice(
            ["add", *["cast"] * 5, "withdraw", "say", "say", "unsay", "remove", "close", "register"]
        ):
            case "add":
                added = msgspec.structs.asdict(photo_added(person, at))
                self.ask(PHOTO, f"p{self._next('photo')}", AddPhoto(**added), UPLOAD_S)
            case "cast":
                self.ask(
                    VOTE, vote_key(photo, person), CastVote(person=person, way=random.choice([1, -1]), at=at)
                )
            case "withdraw":
                self.ask(VOTE, vote_key(photo, person), WithdrawVote())
            case "say":
                new = comment_key(photo, str(self._next("comment")))
                self.ask(COMMENT, new, AddComment(person=person, text="hello", at=at))
            case "unsay":
                self.ask(COMMENT, comment, RemoveComment(person=person))
            case "remove" if random.random() < 0.3:
                self.ask(PHOTO, photo, RemovePhoto(person=person))
            case "close" if random.random() < 0.2:
                self.ask(PROFILE, person, CloseProfile(at=at))
            case "register" if random.random() < 0.5:
                self.ask(PROFILE, person, RegisterProfile(name=_NAME, at=at))

    def _newest(self, what: str, most: int) -> int:
        """Return the number of one of the newest of these, or of the next one."""
        return self.random.randint(max(0, self._numbers[what] - most), self._numbers[what])

    def _next(self, what: str) -> int:
        self._numbers[what] += 1
        return self._numbers[what] - 1

    # what must hold

    def run(self, steps: int = 250) -> set[str]:
        """Let them act, until there is rest; return the invariants that do not hold."""
        for _ in range(steps):
            self.step()
            self._check_names()
        for most in [2] * 140 + [1000] * 140:  # first what is under way still comes late
            for _ in range(most):
                if self.under_way:
                    self.deliver()
            self.call()
            self.pass_time(5.0)
        self.read(lambda _db: None)
        self._check_names()
        self.broken |= {text.split()[0] for text in self._violations()}
        return self.broken

    def _check_names(self) -> None:
        """Nothing names a person after the view has read of the deletion."""
        named = select(people.c.id).where(people.c.state != OPEN, people.c.name != "")
        if self._db.execute(named).first() is not None:
            self.broken.add("I7")

    def _violations(self) -> Iterator[str]:
        recount = PhotoRecount()
        for log in self.log.values():
            for key, event in log:
                record = said(event.TYPE, key, msgspec.json.encode(event))
                recount.add(record.key, record.value)
        yield from recount.violations
        yield from recount.deletions_incomplete()
        columns = (photos.c.id, photos.c.up, photos.c.down, photos.c.comments)
        rows = self._db.execute(select(*columns).where(photos.c.state == LIVE))
        yield from recount.compared([(row.id, row.up, row.down, row.comments) for row in rows])


def _result(call: Coroutine[Any, Any, Any]) -> list[Send]:
    """Return what a coroutine that never waits returns."""
    try:
        call.send(None)
    except StopIteration as stop:
        return list(stop.value)
    raise AssertionError("it waits")


def kinds_of(simulated: SimulatedPhotos) -> Counter[str]:
    """Return how often each event was appended: a run that does nothing proves nothing."""
    counted: defaultdict[str, int] = defaultdict(int)
    for log in simulated.log.values():
        for _, event in log:
            counted[type(event).__name__] += 1
    return Counter(counted)
