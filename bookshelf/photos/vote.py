"""A vote: that of one person for one photo, up or down. Its key is `PHOTO~v-PERSON`."""

import re
from datetime import datetime
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.handler import RequestContext
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.parent import parent_of
from bookshelf.cqrs.route import CommandRoute, Empty
from bookshelf.photos.events import EVENTS, TOPIC, VOTE_EVENTS, VoteCast, VoteWithdrawn
from bookshelf.photos.parent import PARENT, PublishedPhoto, check_known, check_published, vote_key
from bookshelf.photos.person import person_of

#: Votes of one person in a minute.
VOTES_A_MINUTE = 300


class CastVote(Command, frozen=True, kw_only=True):
    """Vote for a photo, 1 or -1, as this person. `own_too`: one's own photo can be voted for."""

    TYPE: ClassVar[str] = "photos.cast-vote.v1"
    person: str
    way: Literal[1, -1]
    at: datetime
    own_too: bool = True


class WithdrawVote(Command, frozen=True, kw_only=True):
    """Vote for the photo no more; also for a removed one."""

    TYPE: ClassVar[str] = "photos.withdraw-vote.v1"


class Vote(State, frozen=True):
    """The vote that counts: `way` is 1, -1, or 0 for none."""

    way: int = 0
    at: datetime | None = None


def decide(state: Vote, command: Command, photo: PublishedPhoto) -> list[Event]:
    """Return the events of a command. Raises `Conflict`, `Gone`, `NotFound`."""
    match command:
        case CastVote(person=person, way=way, at=at, own_too=own_too):
            check_published(photo)
            if person == photo.owner and not own_too:
                raise Conflict("this is your own photo; others vote for it")
            previous = state.way or None
            return (
                []
                if way == state.way
                else [VoteCast(way=way, at=at, previous=previous, previous_at=state.at)]
            )
        case WithdrawVote():
            check_known(photo)
            if state.way and state.at is not None:
                return [VoteWithdrawn(previous=state.way, previous_at=state.at)]
    return []


def evolve(state: Vote, event: Event) -> Vote:
    """Return the vote after an event."""
    match event:
        case VoteCast(way=way, at=at):
            return Vote(way=way, at=at)
        case VoteWithdrawn():
            return Vote()
    return state


VOTE = Aggregate(
    name="vote",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Vote(),
    decide=decide,
    evolve=evolve,
    takes=(CastVote, WithdrawVote),
    reserved_ids=re.compile(r"(?![^~]+~v-[^~]+\Z).*", re.DOTALL),
    folds=VOTE_EVENTS,
    parent=PARENT,
)

Way = Annotated[Literal["up", "down"], Meta(description="for or against it", examples=["up"])]


class VoteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which way."""

    way: Way


class VoteAnswer(msgspec.Struct, frozen=True):
    """One's vote for a photo: 1, -1, or null for none."""

    photo: str
    mine: int | None


def _key(_body: object, context: RequestContext) -> str:
    return vote_key(context.path["id"], person_of(context.caller))


def _answer(key: str, state: Vote) -> VoteAnswer:
    return VoteAnswer(parent_of(key), state.way or None)


def vote_routes(*, own_too: bool, per_minute: int = VOTES_A_MINUTE) -> tuple[CommandRoute, ...]:
    """Return the routes of votes. `own_too`: people can vote for their own photos."""

    def cast(body: VoteBody, context: RequestContext) -> CastVote:
        way: Literal[1, -1] = 1 if body.way == "up" else -1
        return CastVote(person=person_of(context.caller), way=way, at=context.at, own_too=own_too)

    return (
        CommandRoute(
            method="PUT",
            path="/photos/{id}/vote",
            summary="Vote for a photo, or change one's vote",
            aggregate=VOTE,
            body=VoteBody,
            command=cast,
            subject=_key,
            answer=_answer,
            returns=VoteAnswer,
            status=200,
            per_minute=per_minute,
        ),
        CommandRoute(
            method="DELETE",
            path="/photos/{id}/vote",
            summary="Take one's vote back",
            aggregate=VOTE,
            body=Empty,
            body_required=False,
            command=lambda _body, _context: WithdrawVote(),
            subject=_key,
            answer=_answer,
            returns=VoteAnswer,
            status=200,
            per_minute=per_minute,
        ),
    )
