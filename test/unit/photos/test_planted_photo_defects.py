"""Votes, comments and deletions of profiles, simulated: what is right holds, each planted defect is found."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from support.simulated_photos import DELETION, VIEW, PhotoParts, SimulatedPhotos, kinds_of

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.connector import Call
from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.process import Send
from bookshelf.cqrs.view import Change, Handler, Recorded
from bookshelf.photos import events
from bookshelf.photos.comment import COMMENT
from bookshelf.photos.parent import PublishedPhoto
from bookshelf.photos.photo import PHOTO
from bookshelf.photos.profile import PROFILE, CompleteClosing
from bookshelf.photos.vote import VOTE, CastVote, Vote
from bookshelf.photos.vote import decide as decide_vote

SEEDS = range(24)
RIGHT = PhotoParts()


def with_handlers(**changed: Handler | None) -> PhotoParts:
    """Return parts whose view handles the events of these names otherwise, or not at all."""
    handlers: dict[type[Event], Handler] = dict(VIEW.handlers)
    for kind in VIEW.handlers:
        if kind.__name__ in changed:
            handler = changed[kind.__name__]
            if handler is None:
                del handlers[kind]
            else:
                handlers[kind] = handler
    view = replace(VIEW, handlers=handlers)
    return replace(RIGHT, view=view)


def with_aggregates(*changed: Aggregate[Any]) -> PhotoParts:
    """Return parts with these aggregates in place of those of their names."""
    every: tuple[Aggregate[Any], ...] = (PHOTO, VOTE, COMMENT, PROFILE, *changed)
    return replace(RIGHT, aggregates=tuple({one.name: one for one in every}.values()))


def forget_what_is_replaced(event: events.VoteCast, recorded: Recorded) -> Iterable[Change]:
    """Count a vote, and the one that it replaces as well."""
    for statement, values in VIEW.handlers[events.VoteCast](event, recorded):
        kept = {name: max(0, values[name]) for name in ("more_up", "more_down") if name in values}
        yield statement, {**values, **kept}


def count_twice(event: events.CommentAdded, recorded: Recorded) -> Iterable[Change]:
    """Count each comment twice."""
    handled = list(VIEW.handlers[events.CommentAdded](event, recorded))
    return handled + handled[1:]


def accept_any_photo(state: Vote, command: Any, photo: PublishedPhoto) -> list[Event]:  # noqa: ANN401, ARG001 (a decider)
    """Decide votes without a look at their photo."""
    return decide_vote(state, command, PublishedPhoto(owner="anyone"))


def accept_removed_photos(state: Vote, command: Any, photo: PublishedPhoto) -> list[Event]:  # noqa: ANN401 (a decider)
    """Accept votes on a photo that was removed."""
    if isinstance(command, CastVote):
        photo = msgspec.structs.replace(photo, removed=False)
    return decide_vote(state, command, photo)


def keep_the_name(_event: Event, recorded: Recorded) -> Iterable[Change]:
    """Mark a person as deleted, and keep the name."""
    for statement, values in VIEW.handlers[events.ProfileClosed](_event, recorded):
        yield statement, {**values, "name": "a name"} if "name" in values else values


def deletion_without(aggregate: Aggregate[Any]) -> PhotoParts:
    """Return parts whose deletion forgets all of one kind."""

    def forgetting(call: Call) -> Call:
        async def most(event: Event, recorded: Recorded, key: str, ports: HandlerPorts) -> Iterable[Send]:
            found = [send for send in await call(event, recorded, key, ports) if send.to is not aggregate]
            return found or [Send(PROFILE, recorded.subject, CompleteClosing())]

        return most

    calls = {kind: forgetting(call) for kind, call in DELETION.calls.items()}
    return replace(RIGHT, deletion=replace(DELETION, calls=calls))


def deletion_without_rechecks() -> PhotoParts:
    """Return parts whose deletion ends once nothing is left, whatever is under way."""
    closing: type[Event] = events.ProfileClosing
    return replace(RIGHT, deletion=replace(DELETION, calls={closing: DELETION.calls[closing]}))


@pytest.mark.parametrize("seed", SEEDS)
def test_all_holds_whatever_comes_late_or_twice(seed: int) -> None:
    simulated = SimulatedPhotos(seed)
    assert simulated.run() == set()


def test_the_simulation_does_what_it_is_for() -> None:
    kinds: Counter[str] = Counter()
    for seed in SEEDS:
        simulated = SimulatedPhotos(seed)
        simulated.run()
        kinds += kinds_of(simulated)
    assert set(kinds) >= {kind.__name__ for kind in VIEW.handlers} - {"PhotoDescribed", "ProfileChanged"}
    assert kinds["ProfileRechecked"] > len(SEEDS)


DEFECTS: Mapping[str, tuple[str, Callable[[], PhotoParts]]] = {
    "a replaced vote is counted, too": ("I1", lambda: with_handlers(VoteCast=forget_what_is_replaced)),
    "a comment is counted twice": ("I1", lambda: with_handlers(CommentAdded=count_twice)),
    "votes are never taken back": ("I1", lambda: with_handlers(VoteWithdrawn=None)),
    "nothing fences an owner of votes": ("I2", lambda: replace(RIGHT, unfenced=True)),
    "votes for what is no photo": ("I3", lambda: with_aggregates(replace(VOTE, decide=accept_any_photo))),
    "votes for a removed photo": ("I3", lambda: with_aggregates(replace(VOTE, decide=accept_removed_photos))),
    "the name stays": ("I7", lambda: with_handlers(ProfileClosing=keep_the_name)),
    "comments are left": ("I7", lambda: deletion_without(COMMENT)),
    "votes are left": ("I7", lambda: deletion_without(VOTE)),
    "what is under way is left": ("I7", deletion_without_rechecks),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_each_planted_defect_is_found(defect: str) -> None:
    invariant, planted = DEFECTS[defect]
    parts = planted()
    assert any(invariant in SimulatedPhotos(seed, parts).run() for seed in SEEDS)
