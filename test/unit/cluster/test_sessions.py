"""Sessions: every decision on a client's session and on the shared state."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from support.spec import given

from bookshelf.cluster.session import (
    CLIENT_SESSION,
    ChangeClientSession,
    CloseClientSession,
    OpenClientSession,
    ReviewClientSession,
    UseClientSession,
    due,
)
from bookshelf.cluster.session_events import (
    ClientSessionChanged,
    ClientSessionClosed,
    ClientSessionCopied,
    ClientSessionOpened,
    SharedStateChanged,
    SharedStateCopied,
    Values,
)
from bookshelf.cluster.session_state import COPY_CHANGES
from bookshelf.cluster.shared_state import SHARED_STATE, ChangeSharedState, CopySharedState, due_shared
from bookshelf.cqrs.errors import Conflict, Gone, NotFound
from bookshelf.cqrs.session_state import StateTooLarge

AT = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
A, B = "service/shop/a", "service/shop/b"
opened = ClientSessionOpened(domain="blue", service="shop", owner="", idle_s=1800, at=AT)


def raw(**values: Any) -> Values:  # noqa: ANN401 (JSON)
    return {f"service/shop/{key}": msgspec.Raw(msgspec.json.encode(value)) for key, value in values.items()}


def later(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def change(
    setting: Values,
    *drop: str,
    versions: dict[str, int] | None = None,
    scopes: dict[str, int] | None = None,
    at: datetime = AT,
) -> ChangeClientSession:
    return ChangeClientSession(set=setting, drop=drop, versions=versions or {}, scopes=scopes or {}, at=at)


def changed(setting: Values, *drop: str, keys: int, size: int, at: datetime = AT) -> ClientSessionChanged:
    return ClientSessionChanged(set=setting, drop=drop, versions={}, at=at, keys=keys, bytes=size)


a_is_1 = changed(raw(a=1), keys=1, size=15)


def test_a_session_is_opened_once_with_its_first_values() -> None:
    command = OpenClientSession(domain="blue", service="shop", owner="", idle_s=1800, at=AT, set=raw(a=1))
    given(CLIENT_SESSION).when(command).then(opened, a_is_1)
    given(CLIENT_SESSION).when(msgspec.structs.replace(command, set={})).then(opened)
    given(CLIENT_SESSION, opened).when(command).refused(Conflict)


def test_only_an_open_session_is_changed() -> None:
    given(CLIENT_SESSION).when(change(raw(a=1))).refused(NotFound)
    closed = ClientSessionClosed(reason="client", at=AT)
    for command in (change(raw(a=1)), UseClientSession(at=AT)):
        given(CLIENT_SESSION, opened, closed).when(command).refused(Gone)
    given(CLIENT_SESSION, opened, closed, opened, a_is_1)
    assert CLIENT_SESSION.fold([opened, closed, a_is_1]).closed == "client"


def test_a_change_of_what_was_read_in_an_older_version_is_a_conflict() -> None:
    told = given(CLIENT_SESSION, opened, a_is_1)
    told.when(change(raw(a=2), versions={A: 0})).refused(Conflict, "shop/a was changed meanwhile")
    two = msgspec.structs.replace(changed(raw(a=2), keys=1, size=15), versions={A: 1})
    told.when(change(raw(a=2), versions={A: 1})).then(two)
    told.when(change(raw(b=2), scopes={"service/shop/": 0})).refused(Conflict)


def test_changes_of_different_keys_do_not_conflict() -> None:
    both = msgspec.structs.replace(changed(raw(b=2), keys=2, size=30), versions={B: 0})
    given(CLIENT_SESSION, opened, a_is_1).when(change(raw(b=2), versions={B: 0})).then(both)


def test_a_change_without_effect_appends_nothing() -> None:
    given(CLIENT_SESSION, opened, a_is_1).when(change({}, "service/shop/never")).then()
    given(CLIENT_SESSION, opened, a_is_1).when(change({}, A)).then(changed({}, A, keys=0, size=0))


def test_a_session_that_would_become_too_large_stays_as_it_is() -> None:
    events: list[Any] = [opened]
    for n in range(4):
        large = {f"service/shop/{n}": msgspec.Raw(b'"' + b"x" * 16_000 + b'"')}
        events += CLIENT_SESSION.decide(CLIENT_SESSION.fold(events), change(large))
    given(CLIENT_SESSION, *events).when(change(raw(z="x" * 2000))).refused(StateTooLarge)


def test_use_is_recorded_at_most_every_quarter_of_the_idle_time() -> None:
    told = given(CLIENT_SESSION, opened, a_is_1)
    told.when(UseClientSession(at=later(449))).then()
    told.when(UseClientSession(at=later(450))).then(changed({}, keys=1, size=15, at=later(450)))


@pytest.mark.parametrize("idle_s", [30, 1800])
def test_a_session_is_closed_after_its_idle_time_without_use(idle_s: int) -> None:
    short = msgspec.structs.replace(opened, idle_s=idle_s)
    state = CLIENT_SESSION.fold([short])
    assert due(state) == (later(idle_s), ReviewClientSession(at=later(idle_s)))
    closed = ClientSessionClosed(reason="idle", at=later(idle_s))
    given(CLIENT_SESSION, short).when(ReviewClientSession(at=later(idle_s))).then(closed)
    used = changed({}, keys=0, size=0, at=later(idle_s / 2))
    given(CLIENT_SESSION, short, used).when(ReviewClientSession(at=later(idle_s))).then()
    assert due(CLIENT_SESSION.fold([short, used])) == (
        later(idle_s * 1.5),
        ReviewClientSession(at=later(idle_s * 1.5)),
    )
    assert due(CLIENT_SESSION.fold([short, closed])) is None


def test_a_session_is_closed_once() -> None:
    command = CloseClientSession(reason="operator", at=AT)
    closed = ClientSessionClosed(reason="operator", at=AT)
    given(CLIENT_SESSION, opened).when(command).then(closed)
    given(CLIENT_SESSION, opened, closed).when(command).then()
    given(CLIENT_SESSION).when(command).refused(NotFound)


def test_a_full_copy_follows_after_64_changes_and_has_all() -> None:
    events: list[Any] = [opened, a_is_1]
    while not isinstance(events[-1], ClientSessionCopied):
        events += CLIENT_SESSION.decide(CLIENT_SESSION.fold(events), change(raw(b=len(events))))
    assert sum(isinstance(event, ClientSessionChanged) for event in events) == COPY_CHANGES
    state = CLIENT_SESSION.fold(events)
    alone = CLIENT_SESSION.fold(events[-1:])
    assert alone == state
    assert (state.content.n, state.content.values[A].version) == (COPY_CHANGES, 1)
    following = CLIENT_SESSION.decide(state, change(raw(b=0)))
    assert [type(event) for event in following] == [ClientSessionChanged]


def test_a_session_in_use_is_copied_every_day_and_so_is_the_shared_state() -> None:
    day = timedelta(days=1).total_seconds()
    patient = msgspec.structs.replace(opened, idle_s=7 * 86_400)
    state = CLIENT_SESSION.fold([patient, a_is_1])
    assert due(state) == (later(day), ReviewClientSession(at=later(day)))
    [copied] = CLIENT_SESSION.decide(state, ReviewClientSession(at=later(day)))
    assert CLIENT_SESSION.fold([copied]).content == state.content
    moment = due(CLIENT_SESSION.fold([patient, a_is_1, copied]))
    assert moment is not None
    assert moment[0] == later(2 * day)
    shared = SHARED_STATE.fold([SharedStateChanged(set=raw(a=1), drop=(), versions={}, at=AT)])
    assert due_shared(shared) == (later(day), CopySharedState(at=later(day)))
    [kept] = SHARED_STATE.decide(shared, CopySharedState(at=later(day)))
    assert SHARED_STATE.fold([kept]).content == shared.content
    assert SHARED_STATE.decide(SHARED_STATE.fold([kept]), CopySharedState(at=later(day))) == []
    assert due_shared(SHARED_STATE.initial) is None


def test_the_shared_state_is_changed_as_a_session_is() -> None:
    one = SharedStateChanged(set=raw(a=1), drop=(), versions={}, at=AT)
    command = ChangeSharedState(set=raw(a=2), drop=(), versions={A: 0}, scopes={}, at=AT)
    told = given(SHARED_STATE, one)
    told.when(command).refused(Conflict)
    again = SharedStateChanged(set=raw(a=2), drop=(), versions={A: 1}, at=AT)
    told.when(msgspec.structs.replace(command, versions={A: 1})).then(again)
    dropped = SharedStateChanged(set={}, drop=(A,), versions={}, at=AT)
    told.when(ChangeSharedState(set={}, drop=(A, B), versions={}, scopes={}, at=AT)).then(dropped)
    events: list[Any] = []
    while not events or not isinstance(events[-1], SharedStateCopied):
        number = ChangeSharedState(set=raw(a=len(events)), drop=(), versions={}, scopes={}, at=AT)
        events += SHARED_STATE.decide(SHARED_STATE.fold(events), number)
    assert len(events) == COPY_CHANGES + 1
    assert SHARED_STATE.fold(events[-1:]) == SHARED_STATE.fold(events)
