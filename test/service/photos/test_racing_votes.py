"""Two instances own the votes of one partition at once, as after a rebalance that one has not noticed.

Each append fences the other instance. Whatever they are asked, alone or at the same time, each person has one
vote for a photo, the one that was answered last, and the counts add up.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from support.counter_context import everything, said
from support.faulty import FaultyLog, landed, lets_through, lost
from support.fixed_infrastructure import NOW
from support.owners import Owners, ask, sent
from support.photo_events import photo_added

from bookshelf.cqrs.errors import Gone
from bookshelf.cqrs.message import Event
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import Change
from bookshelf.photos.events import TOPIC, PhotoRemoved
from bookshelf.photos.parent import vote_key
from bookshelf.photos.recount import PhotoRecount
from bookshelf.photos.vote import VOTE, CastVote, Vote, WithdrawVote
from bookshelf.runtime.aggregate.read_state import ReadState

PHOTOS, PERSONS = ("p1", "p2"), ("ann", "ben", "eve")
#: An instance, a photo, a person, and the vote that is asked for; 0 takes it back.
Wish = tuple[int, str, str, int]
WISHES = st.tuples(
    st.integers(0, 1), st.sampled_from(PHOTOS), st.sampled_from(PERSONS), st.sampled_from([1, -1, 0])
)


class EveryPartition:
    """A membership that has all partitions, whatever the other members have."""

    def __init__(self, partitions: frozenset[int], revoked: Change) -> None:
        self.partitions = partitions
        self._revoked = revoked

    async def leave(self) -> None:
        await self._revoked(self.partitions)


class SplitLog(MemoryLog):
    """A log whose groups assign every partition to each member."""

    async def join(self, group: str, topic: str, assigned: Change, revoked: Change) -> Any:  # noqa: ANN401, ARG002 (a membership)
        everything = EveryPartition(frozenset(range(self.partitions(topic))), revoked)
        await assigned(everything.partitions)
        return everything


class RacingVotes(RuleBasedStateMachine):
    """The last answered vote of each person, beside the log of two instances."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.log = FaultyLog(SplitLog(1))
        self.owners = Owners(self.log)
        self.hosts = [self.runner.run(self.owners.host(VOTE)) for _ in range(2)]
        self.removed: set[str] = set()
        self.counting: dict[tuple[str, str], set[int]] = {}
        for photo in PHOTOS:
            self.append(photo, photo_added("owner", NOW))

    def append(self, key: str, event: Event) -> None:
        """Append an event of a photo as its owner does, which is another service."""

        async def work() -> None:
            writer = await self.log.plain.writer("photo", TOPIC, 0)
            await writer.append([said(event.TYPE, key, msgspec.json.encode(event), source="photo")])

        self.runner.run(work())

    async def wish(self, instance: int, photo: str, person: str, way: int) -> int | None:
        """Ask an instance; return the vote that it answers, None if the photo was removed."""
        self.owners.clock.move(timedelta(seconds=1))
        at = self.owners.clock.now()
        command = CastVote(person=person, way=1 if way == 1 else -1, at=at) if way else WithdrawVote()
        try:
            answer = await ask(self.hosts[instance], sent(vote_key(photo, person), command))
        except Gone:
            return None
        assert isinstance(answer.state, Vote)
        return answer.state.way

    @rule(wishes=st.lists(WISHES, min_size=1, max_size=1))
    def alone(self, wishes: Sequence[Wish]) -> None:
        """One click at a time: its answer is what was asked for."""
        self.race(wishes)

    @rule(wishes=st.lists(WISHES, min_size=2, max_size=12))
    def race(self, wishes: Sequence[Wish]) -> None:
        """Clicks at the same time, at both instances: one of those of a person is the last."""

        async def work() -> list[int | None]:
            return await asyncio.gather(*(self.wish(*wish) for wish in wishes))

        wished: dict[tuple[str, str], set[int]] = {}
        for (_, photo, person, way), answered in zip(wishes, self.runner.run(work()), strict=True):
            if photo in self.removed:
                assert answered is None or not way
            else:
                assert answered == way
                wished.setdefault((photo, person), set()).add(way)
        self.counting |= wished

    @rule(faults=st.lists(st.sampled_from([lost, landed, lets_through]), min_size=1, max_size=3))
    def cut_off(self, faults: Sequence[Any]) -> None:
        """The next appends have an unknown outcome."""
        self.log.appends.extend(faults)

    @rule(photo=st.sampled_from(PHOTOS))
    def remove(self, photo: str) -> None:
        """The photo is removed by the service that owns it."""
        if photo not in self.removed:
            self.append(photo, PhotoRemoved(reason="owner"))
            self.removed.add(photo)

    @invariant()
    def each_person_has_one_vote_and_the_counts_are_exact(self) -> None:
        recount = PhotoRecount()
        for record in self.runner.run(everything(self.log.plain, TOPIC)):
            recount.add(record.key, record.value)
        assert recount.violations == []
        for (photo, person), ways in self.counting.items():
            if photo in self.removed:
                continue
            way = recount.photos[photo].votes.get(person, (0,))[0]
            assert way in ways
            for host in self.hosts:
                read = self.runner.run(ask(host, sent(vote_key(photo, person), ReadState())))
                assert isinstance(read.state, Vote)
                assert read.state.way == way

    def teardown(self) -> None:
        self.runner.run(self.owners.stop())
        self.runner.close()


RacingVotesTest = RacingVotes.TestCase
RacingVotesTest.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)
