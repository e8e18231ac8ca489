"""Profiles: one of each person, that is edited, and deleted in rounds."""

from datetime import UTC, datetime, timedelta

from support.fixed_infrastructure import NOW
from support.spec import given, on_event

from bookshelf.accounts import events as accounts
from bookshelf.cqrs.errors import Conflict, Gone, NotFound
from bookshelf.cqrs.process import Send
from bookshelf.photos.events import (
    ProfileChanged,
    ProfileClosed,
    ProfileClosing,
    ProfileRechecked,
    ProfileRegistered,
)
from bookshelf.photos.profile import (
    PROFILE,
    ChangeProfile,
    CloseProfile,
    CompleteClosing,
    ContinueClosing,
    PublicProfile,
    RecheckDeletion,
    RegisterProfile,
    due,
)
from bookshelf.photos.profiles_process import PROFILES, profiles_process

AT = datetime(2026, 11, 25, 10, tzinfo=UTC)
BEN = ProfileRegistered(name="Ben", at=AT)
CLOSING = ProfileClosing(round=1, at=AT)


def test_a_person_has_one_profile() -> None:
    command = RegisterProfile(name="Ben", at=AT)
    given(PROFILE).when(command).then(BEN)
    given(PROFILE, BEN).when(command).refused(Conflict)
    given(PROFILE, BEN, CLOSING).when(command).refused(Conflict)
    given(PROFILE, BEN, CLOSING, ProfileClosed()).when(command).then(BEN)


def test_only_what_changes_is_in_the_event() -> None:
    changed = ChangeProfile(about="Seas", avatar="", at=AT)
    given(PROFILE, BEN).when(changed).then(ProfileChanged(about="Seas"))
    given(PROFILE, BEN, ProfileChanged(about="Seas")).when(changed).then()
    given(PROFILE).when(changed).refused(NotFound)
    given(PROFILE, BEN, CLOSING).when(changed).refused(Gone)


def test_the_local_reader_has_a_profile_from_the_first_change_on() -> None:
    first = ChangeProfile(about="Seas", first_name="Reader", at=AT)
    registered = ProfileRegistered(name="Reader", at=AT)
    given(PROFILE).when(first).then(registered, ProfileChanged(about="Seas"))


def test_a_deletion_goes_on_in_rounds_until_nothing_is_left() -> None:
    later = AT + timedelta(seconds=1)
    given(PROFILE, BEN).when(CloseProfile(at=AT)).then(CLOSING)
    given(PROFILE).when(CloseProfile(at=AT)).then(CLOSING)
    given(PROFILE, BEN, CLOSING).when(CloseProfile(at=AT)).then()
    given(PROFILE, BEN, CLOSING).when(ContinueClosing(at=later)).then(ProfileClosing(round=2, at=later))
    given(PROFILE, BEN, CLOSING).when(CompleteClosing()).then(ProfileClosed())
    given(PROFILE, BEN, CLOSING, ProfileClosed()).when(CompleteClosing()).then()
    # the account is deleted after its profile: what was published in between is removed, too
    given(PROFILE, BEN, CLOSING, ProfileClosed()).when(CloseProfile(at=AT)).then(CLOSING)
    given(PROFILE, BEN, CLOSING, ProfileClosed()).when(ContinueClosing(at=later)).then()
    given(PROFILE, BEN).when(CompleteClosing()).then()


def test_rounds_are_a_second_apart_and_rarer_when_a_deletion_takes_long() -> None:
    quick, slow = (PROFILE.fold([BEN, ProfileClosing(round=number, at=AT)]) for number in (1, 60))
    assert due(quick) == (AT + timedelta(seconds=1), ContinueClosing(at=AT + timedelta(seconds=1)))
    assert due(slow) == (AT + timedelta(seconds=60), ContinueClosing(at=AT + timedelta(seconds=60)))
    assert due(PROFILE.fold([BEN])) is None


def test_a_completed_deletion_is_rechecked_twice_also_after_a_new_registration() -> None:
    """First once the votes and comments under way have ended, then once the uploads have."""
    first, second = (ProfileRechecked(number=number, until=AT) for number in (1, 2))
    for back in ([], [BEN]):
        closed = [BEN, CLOSING, ProfileClosed(), *back]
        assert due(PROFILE.fold(closed)) == (AT + timedelta(seconds=60), RecheckDeletion())
        given(PROFILE, *closed).when(RecheckDeletion()).then(first)
        assert due(PROFILE.fold([*closed, first])) == (AT + timedelta(seconds=660), RecheckDeletion())
        given(PROFILE, *closed, first).when(RecheckDeletion()).then(second)
        assert due(PROFILE.fold([*closed, first, second])) is None
        given(PROFILE, *closed, first, second).when(RecheckDeletion()).then()
    again = ProfileClosing(round=1, at=AT + timedelta(seconds=90))
    assert due(PROFILE.fold([BEN, CLOSING, ProfileClosed(), first, again, ProfileClosed()])) == (
        AT + timedelta(seconds=150),
        RecheckDeletion(),
    )


def test_a_deleted_profile_keeps_no_text() -> None:
    assert PROFILE.fold([BEN, CLOSING]) == PublicProfile(round=1, at=AT)
    assert PROFILE.fold([BEN, CLOSING, ProfileClosed()]) == PublicProfile(closed=True, deleted_at=AT)


def test_accounts_lead_to_profiles() -> None:
    renamed, forgotten = accounts.AccountRenamed(name="Bea"), accounts.AccountForgotten(claims=())
    register = Send(PROFILE, "a-1", RegisterProfile(name="Ben", at=NOW))
    on_event(PROFILES, accounts.AccountOpened(name="Ben"), subject="a-1").sends(register)
    on_event(PROFILES, renamed, subject="a-1").sends(Send(PROFILE, "a-1", ChangeProfile(name="Bea", at=NOW)))
    on_event(PROFILES, forgotten, subject="a-1").sends(Send(PROFILE, "a-1", CloseProfile(at=NOW)))


def test_the_account_of_the_local_reader_has_the_profile_of_the_local_reader() -> None:
    process, forgotten = profiles_process("a-1"), accounts.AccountForgotten(claims=())
    renamed = ChangeProfile(name="Ben", first_name="Ben", at=NOW)
    on_event(process, accounts.AccountOpened(name="Ben"), subject="a-1").sends(
        Send(PROFILE, "a-reader", renamed)
    )
    reader = ProfileRegistered(name="Reader", at=AT)
    given(PROFILE, reader).when(renamed).then(ProfileChanged(name="Ben"))
    given(PROFILE).when(renamed).then(ProfileRegistered(name="Ben", at=NOW))
    on_event(process, forgotten, subject="a-1").sends(Send(PROFILE, "a-reader", CloseProfile(at=NOW)))
    on_event(process, forgotten, subject="a-2").sends(Send(PROFILE, "a-2", CloseProfile(at=NOW)))
