"""The process of profiles: each account has one while it is open, also the older accounts."""

from collections.abc import Iterable

from bookshelf.accounts import events as accounts
from bookshelf.cqrs.process import Process, Send, on
from bookshelf.cqrs.view import Recorded
from bookshelf.photos.person import LOCAL_READER, person_key
from bookshelf.photos.profile import PROFILE, ChangeProfile, CloseProfile, RegisterProfile


def profiles_process(local_reader: str = LOCAL_READER) -> Process:
    """Return the process; `local_reader` is the account that the things of the local reader belong to."""

    def person(recorded: Recorded) -> str:
        return LOCAL_READER if recorded.subject == local_reader else person_key(recorded.subject)

    def register_profile(event: accounts.AccountOpened, recorded: Recorded) -> Iterable[Send]:
        """Register a new account under the name of its person; that of the local reader may have another."""
        if recorded.subject == local_reader:
            renamed = ChangeProfile(name=event.name, first_name=event.name, at=recorded.time)
            yield Send(PROFILE, LOCAL_READER, renamed)
        else:
            yield Send(PROFILE, person(recorded), RegisterProfile(name=event.name, at=recorded.time))

    def rename_profile(event: accounts.AccountRenamed, recorded: Recorded) -> Iterable[Send]:
        """Change the name."""
        yield Send(PROFILE, person(recorded), ChangeProfile(name=event.name, at=recorded.time))

    def close_profile(_event: accounts.AccountForgotten, recorded: Recorded) -> Iterable[Send]:
        """Delete the profile of an account that is forgotten."""
        yield Send(PROFILE, person(recorded), CloseProfile(at=recorded.time))

    return Process(
        name="profile-registration",
        topic=accounts.TOPIC,
        catalogue=accounts.EVENTS,
        arrows=(
            on(accounts.AccountOpened, then=[register_profile]),
            on(accounts.AccountRenamed, then=[rename_profile]),
            on(accounts.AccountForgotten, then=[close_profile]),
        ),
    )


PROFILES = profiles_process()
