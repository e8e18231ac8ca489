"""The process of profiles: each account has one while it is open, also the older accounts."""

from collections.abc import Iterable

from bookshelf.accounts import events as accounts
from bookshelf.cqrs.process import Process, Send, on
from bookshelf.cqrs.view import Recorded
from bookshelf.photos.profile import PROFILE, ChangeProfile, CloseProfile, RegisterProfile


def register_profile(event: accounts.AccountOpened, recorded: Recorded) -> Iterable[Send]:
    """Register a new account under the name of its person."""
    yield Send(PROFILE, recorded.subject, RegisterProfile(name=event.name, at=recorded.time))


def rename_profile(event: accounts.AccountRenamed, recorded: Recorded) -> Iterable[Send]:
    """Change the name."""
    yield Send(PROFILE, recorded.subject, ChangeProfile(name=event.name, at=recorded.time))


def close_profile(_event: accounts.AccountForgotten, recorded: Recorded) -> Iterable[Send]:
    """Delete the profile of an account that is forgotten."""
    yield Send(PROFILE, recorded.subject, CloseProfile(at=recorded.time))


PROFILES = Process(
    name="profile-registration",
    topic=accounts.TOPIC,
    catalogue=accounts.EVENTS,
    arrows=(
        on(accounts.AccountOpened, then=[register_profile]),
        on(accounts.AccountRenamed, then=[rename_profile]),
        on(accounts.AccountForgotten, then=[close_profile]),
    ),
)
