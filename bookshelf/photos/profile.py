"""A profile: what a person shows beside photos, and the deletion of all that the person has published.

Its key is the person. Closing goes in rounds: after each `ProfileClosing` a connector removes what there is,
and the deadline starts the next round, until nothing is left. Uploads, votes and comments that were under way
are looked for twice more.
"""

from datetime import datetime, timedelta
from typing import Annotated, ClassVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, Gone, NotFound
from bookshelf.cqrs.handler import RequestContext
from bookshelf.cqrs.message import Command, Event, State, sealed
from bookshelf.cqrs.route import CommandRoute, Empty
from bookshelf.photos.events import (
    EVENTS,
    PROFILE_EVENTS,
    TOPIC,
    ProfileChanged,
    ProfileClosed,
    ProfileClosing,
    ProfileRechecked,
    ProfileRegistered,
)
from bookshelf.photos.fields import UPLOAD_S
from bookshelf.photos.person import READER_NAME, person_of

#: The time to the next round of a deletion: for the first rounds, and for later ones, when something is down.
_ROUND, _LATER_ROUND = timedelta(seconds=1), timedelta(seconds=60)
_QUICK_ROUNDS = 60
#: When a completed deletion is rechecked, after its last round: once votes and comments have ended that were
#: under way, and once uploads have (`UPLOAD_S`).
_RECHECKS = (timedelta(seconds=60), timedelta(seconds=UPLOAD_S + 60))
_NO_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_ONE_LINE = rf"{_NO_CONTROLS}\n\r\t"
_LINE = rf"^[^{_ONE_LINE}]*[^\s{_ONE_LINE}][^{_ONE_LINE}]*$(?!\n)"
_PROSE = rf"^[^{_NO_CONTROLS}]*$"
Name = Annotated[
    str,
    Meta(
        max_length=200,
        pattern=_LINE,
        extra={"hint": "must not be blank, and has no control characters"},
        examples=["Ann Example"],
    ),
    sealed("name"),
]
About = Annotated[
    str,
    Meta(
        max_length=2000,
        pattern=_PROSE,
        extra={"hint": "has no control characters"},
        examples=["Seas and skies"],
    ),
    sealed("about"),
]
Avatar = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9._:@-]{0,100}$(?!\n)",
        extra={"hint": "is the id of a photo, or empty"},
        description="the id of one's own photo; empty for the default avatar",
    ),
]


class RegisterProfile(Command, frozen=True, kw_only=True):
    """Register a person under a name."""

    TYPE: ClassVar[str] = "photos.register-profile.v1"
    name: Annotated[str, sealed("name")]
    about: Annotated[str, sealed("about")] = ""
    at: datetime


class ChangeProfile(Command, frozen=True, kw_only=True):
    """Change what is given. With `first_name`, a person without a profile is registered under that first."""

    TYPE: ClassVar[str] = "photos.change-profile.v1"
    name: Annotated[str, sealed("name")] | UnsetType = UNSET
    about: Annotated[str, sealed("about")] | UnsetType = UNSET
    avatar: str | UnsetType = UNSET
    first_name: str = ""
    at: datetime


class CloseProfile(Command, frozen=True, kw_only=True):
    """Hide the profile, and remove all that the person has published."""

    TYPE: ClassVar[str] = "photos.close-profile.v1"
    at: datetime


class ContinueClosing(Command, frozen=True, kw_only=True):
    """Start the next round of removals."""

    TYPE: ClassVar[str] = "photos.continue-closing.v1"
    at: datetime


class CompleteClosing(Command, frozen=True, kw_only=True):
    """Nothing is left: the profile is closed."""

    TYPE: ClassVar[str] = "photos.complete-closing.v1"


class RecheckDeletion(Command, frozen=True, kw_only=True):
    """Look again for what was under way while the profile was deleted."""

    TYPE: ClassVar[str] = "photos.recheck-deletion.v1"


class PublicProfile(State, frozen=True):
    """A profile. `round` is that of its deletion, which began or went on at `at`; 0: it is not deleted.

    `deleted_at` is the time of the last round of a completed deletion, until all its `rechecks` are done.
    """

    registered: bool = False
    name: Annotated[str, sealed("name")] = ""
    about: Annotated[str, sealed("about")] = ""
    avatar: str = ""
    since: datetime | None = None
    round: int = 0
    at: datetime | None = None
    closed: bool = False
    deleted_at: datetime | None = None
    rechecks: int = 0


def decide(state: PublicProfile, command: Command) -> list[Event]:
    """Return the events of a command. Raises `Conflict`, `Gone`, `NotFound`."""
    match command:
        case RegisterProfile(name=name, about=about, at=at):
            if state.round:
                raise Conflict("this profile is being deleted; try again once it is gone")
            if state.registered:
                raise Conflict("there is a profile of this person; change that")
            return [ProfileRegistered(name=name, about=about, at=at)]
        case ChangeProfile():
            return _changed(state, command)
    return _deleted(state, command)


def _deleted(state: PublicProfile, command: Command) -> list[Event]:
    match command:
        case CloseProfile(at=at) if not state.round:  # also a closed one: something was published since
            return [ProfileClosing(round=1, at=at)]
        case ContinueClosing(at=at) if state.round:
            return [ProfileClosing(round=state.round + 1, at=at)]
        case CompleteClosing() if state.round:
            return [ProfileClosed()]
        case RecheckDeletion() if state.deleted_at is not None:
            return [ProfileRechecked(number=state.rechecks + 1, until=state.deleted_at)]
    return []


def _changed(state: PublicProfile, command: ChangeProfile) -> list[Event]:
    if state.round or state.closed:
        raise Gone("this profile was deleted")
    if not state.registered and not command.first_name:
        raise NotFound("there is no profile of this person yet; register one")
    first = ProfileRegistered(name=command.first_name, at=command.at)
    begun: list[Event] = [] if state.registered else [first]
    present = state if state.registered else evolve(state, first)
    given = {"name": command.name, "about": command.about, "avatar": command.avatar}
    changed = {
        name: value
        for name, value in given.items()
        if not isinstance(value, UnsetType) and value != getattr(present, name)
    }
    return [*begun, ProfileChanged(**changed)] if changed else begun


def evolve(state: PublicProfile, event: Event) -> PublicProfile:
    """Return the profile after an event."""
    match event:
        case ProfileRegistered(name=name, about=about, avatar=avatar, at=at):
            return PublicProfile(
                registered=True,
                name=name,
                about=about,
                avatar=avatar,
                since=at,
                deleted_at=state.deleted_at,
                rechecks=state.rechecks,
            )
        case ProfileChanged():
            given = {"name": event.name, "about": event.about, "avatar": event.avatar}
            changed = {name: value for name, value in given.items() if not isinstance(value, UnsetType)}
            return msgspec.structs.replace(state, **changed)
        case ProfileClosing(round=number, at=at):
            return PublicProfile(round=number, at=at)
        case ProfileClosed():
            return PublicProfile(closed=True, deleted_at=state.at)
        case ProfileRechecked(number=number):
            going_on = state.deleted_at if number < len(_RECHECKS) else None
            return msgspec.structs.replace(state, deleted_at=going_on, rechecks=number)
    return state


def due(state: PublicProfile) -> tuple[datetime, Command] | None:
    """Return when the next round of a deletion starts, or when a completed one is rechecked."""
    if state.deleted_at is not None:
        return state.deleted_at + _RECHECKS[state.rechecks], RecheckDeletion()
    if not state.round or state.at is None:
        return None
    moment = state.at + (_ROUND if state.round < _QUICK_ROUNDS else _LATER_ROUND)
    return moment, ContinueClosing(at=moment)


PROFILE = Aggregate(
    name="profile",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=PublicProfile(),
    decide=decide,
    evolve=evolve,
    due=due,
    takes=(RegisterProfile, ChangeProfile, CloseProfile, ContinueClosing, CompleteClosing),
    version=2,
    folds=PROFILE_EVENTS,
)


class ProfileBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new profile."""

    name: Name
    about: About = ""


class ProfileEdits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The fields of a profile to change."""

    about: About | UnsetType = UNSET
    avatar: Avatar | UnsetType = UNSET


class ProfileAnswer(msgspec.Struct, frozen=True):
    """A profile right after a command."""

    id: str
    name: Annotated[str, sealed("name")]
    about: Annotated[str, sealed("about")]
    avatar: str
    since: Annotated[str, Meta(examples=["2026-11-25T09:30:00.123456Z"])]


def _answer(person: str, state: PublicProfile) -> ProfileAnswer:
    since = "" if state.since is None else f"{state.since:%Y-%m-%dT%H:%M:%S.%f}Z"
    return ProfileAnswer(person, state.name, state.about, state.avatar, since)


def _key(_body: object, context: RequestContext) -> str:
    return person_of(context.caller)


def _change(body: ProfileEdits, context: RequestContext) -> ChangeProfile:
    first = READER_NAME if context.caller.owner is None else ""
    return ChangeProfile(about=body.about, avatar=body.avatar, first_name=first, at=context.at)


PROFILE_ROUTES = (
    CommandRoute(
        method="POST",
        path="/profiles",
        summary="Register a profile of one's own",
        aggregate=PROFILE,
        body=ProfileBody,
        command=lambda body, context: RegisterProfile(name=body.name, about=body.about, at=context.at),
        subject=_key,
        answer=_answer,
        returns=ProfileAnswer,
        location="/people/{id}",
        status=201,
    ),
    CommandRoute(
        method="PATCH",
        path="/me",
        summary="Change one's profile",
        aggregate=PROFILE,
        body=ProfileEdits,
        command=_change,
        subject=_key,
        answer=_answer,
        returns=ProfileAnswer,
        status=200,
    ),
    CommandRoute(
        method="DELETE",
        path="/me",
        summary="Delete one's profile, and all that one has published",
        aggregate=PROFILE,
        body=Empty,
        body_required=False,
        command=lambda _body, context: CloseProfile(at=context.at),
        subject=_key,
        status=202,
    ),
)
