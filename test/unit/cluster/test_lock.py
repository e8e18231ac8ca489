"""Locks: one lease at a time, that ends when it is released or not renewed."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as sampled
from hypothesis import settings
from hypothesis import strategies as st
from support.spec import given

from bookshelf.cluster.lock import LOCK, Acquire, Expire, Lock, ReleaseLease, Renew, due
from bookshelf.cluster.lock_events import LockAcquired, LockExpired, LockReleased, LockRenewed
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.message import Command, Event

AT = datetime(2026, 11, 27, 10, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


def acquire(lease: str = "l-2", at: datetime = AT, seen: datetime | None = None) -> Acquire:
    return Acquire(holder="node2", lease=lease, ttl_s=3, at=at, seen=seen)


HELD = LockAcquired(holder="node1", lease="l-1", ttl_s=3, until=after(3))
TAKEN = LockAcquired(holder="node2", lease="l-2", ttl_s=3, until=after(3))


def test_a_free_lock_is_acquired() -> None:
    given(LOCK).when(acquire()).then(TAKEN)
    given(LOCK, HELD, LockReleased(lease="l-1")).when(acquire()).then(TAKEN)
    given(LOCK, HELD, LockExpired(lease="l-1")).when(acquire()).then(TAKEN)


def test_a_held_lock_is_refused_with_its_holder() -> None:
    given(LOCK, HELD).when(acquire(at=after(2.999))).refused(Conflict, "node1 holds")


def test_a_lease_that_is_over_ends_before_the_next_begins() -> None:
    taken = LockAcquired(holder="node2", lease="l-2", ttl_s=3, until=after(6))
    given(LOCK, HELD).when(acquire(at=after(3))).then(LockExpired(lease="l-1"), taken)


def test_a_lease_that_another_has_seen_unchanged_ends_whatever_the_clock_shows() -> None:
    early = after(-3600)
    taken = LockAcquired(holder="node2", lease="l-2", ttl_s=3, until=after(-3597))
    given(LOCK, HELD).when(acquire(at=early, seen=after(3))).then(LockExpired(lease="l-1"), taken)
    renewed = LockRenewed(lease="l-1", until=after(4))
    given(LOCK, HELD, renewed).when(acquire(at=early, seen=after(3))).refused(Conflict, "node1 holds")


def test_a_lease_begins_once() -> None:
    given(LOCK, HELD).when(acquire("l-1", at=after(9))).refused(Conflict, "begun already", field="lease")


def test_a_lease_is_renewed_by_its_own_id_until_it_is_over() -> None:
    given(LOCK, HELD).when(Renew(lease="l-1", at=after(1))).then(LockRenewed(lease="l-1", until=after(4)))
    given(LOCK, HELD).when(Renew(lease="l-2", at=after(1))).refused(Conflict, "has ended", field="lease")
    given(LOCK, HELD).when(Renew(lease="l-1", at=after(3))).refused(Conflict, "has ended", field="lease")
    given(LOCK).when(Renew(lease="l-1", at=AT)).refused(Conflict, "has ended", field="lease")


def test_a_lease_is_released_once_and_by_its_own_id() -> None:
    given(LOCK, HELD).when(ReleaseLease(lease="l-1")).then(LockReleased(lease="l-1"))
    given(LOCK, HELD).when(ReleaseLease(lease="l-2")).then()
    given(LOCK, HELD, LockReleased(lease="l-1")).when(ReleaseLease(lease="l-1")).then()


def test_a_lease_falls_due_at_its_end() -> None:
    held = LOCK.fold([HELD, LockRenewed(lease="l-1", until=after(4))])
    assert due(held) == (after(4), Expire(lease="l-1"))
    given(LOCK, HELD).when(Expire(lease="l-1")).then(LockExpired(lease="l-1"))
    given(LOCK, TAKEN).when(Expire(lease="l-1")).then()
    assert due(Lock()) is None


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a b", "a" * 129, "a\n"])
def test_a_name_of_another_form_is_reserved(name: str) -> None:
    assert LOCK.reserved_ids is not None
    assert LOCK.reserved_ids.fullmatch(name)
    assert not LOCK.reserved_ids.fullmatch("primary.counters_1-a")


class History:
    """A lock with clients that remember what they were granted, in a log with other records."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.offset = 0
        #: The token and the lease of each grant, in order.
        self.grants: list[tuple[int, str]] = []
        #: The monotonic second at which each lease ends for its holder.
        self.ends: dict[str, float] = {}
        self.leases = 0

    def carry_out(self, command: Command, now: float) -> None:
        try:
            events = LOCK.decide(self.lock, command)
        except Conflict:
            return
        for event in events:
            self.append(event, now)

    def append(self, event: Event, now: float) -> None:
        self.offset += 1
        if isinstance(event, LockAcquired):
            assert self.lock.is_free, "a lease begins while another lasts"
            self.grants.append((self.offset, event.lease))
            self.ends[event.lease] = now + event.ttl_s
        elif isinstance(event, LockRenewed):
            assert event.lease == self.lock.lease, "a former lease was renewed"
            self.ends[event.lease] = now + self.lock.ttl_s
        else:
            assert not self.lock.is_free
            if isinstance(event, LockReleased):
                self.ends[self.lock.lease] = now
        self.lock = LOCK.evolve(self.lock, event)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(("acquire", "renew", "release", "expire", "other")),
        st.integers(0, 3),
        st.sampled_from((0.0, 0.5, 1.0, 3.0, 5.0)),
    ),
    max_size=40,
)


@sampled(steps=STEPS, skew=st.sampled_from((0.0, -3600.0, 3600.0)))
@settings(deadline=None)
def test_tokens_grow_and_each_has_one_holder(steps: list[tuple[str, int, float]], skew: float) -> None:
    """J7. A command names a former lease, the newest first; a later owner's clock may be an hour off."""
    history, now = History(), 0.0
    for kind, back, passed in steps:
        now += passed
        moment = after(now + (skew if now > 5 else 0.0))  # the partition has moved then
        former = history.grants[-1 - back][1] if back < len(history.grants) else "none"
        seen = history.lock.until if back else None  # what a candidate may have seen for long enough
        match kind:
            case "acquire":
                history.leases += 1
                history.carry_out(acquire(f"l-{history.leases}", moment, seen), now)
            case "renew":
                history.carry_out(Renew(lease=former, at=moment), now)
            case "release":
                history.carry_out(ReleaseLease(lease=former), now)
            case "expire":
                history.carry_out(Expire(lease=former), now)
            case _:
                history.offset += 7
    tokens = [token for token, _ in history.grants]
    assert tokens == sorted(set(tokens))
    assert len({lease for _, lease in history.grants}) == len(history.grants)


@sampled(steps=STEPS)
@settings(deadline=None)
def test_with_one_clock_no_lease_begins_before_the_former_holder_has_stopped(
    steps: list[tuple[str, int, float]],
) -> None:
    history, now = History(), 0.0
    for kind, back, passed in steps:
        now += passed
        former = history.grants[-1 - back][1] if back < len(history.grants) else "none"
        before, granted = history.lock.lease, len(history.grants)
        match kind:
            case "acquire":
                history.leases += 1
                history.carry_out(acquire(f"l-{history.leases}", after(now)), now)
            case "renew":
                history.carry_out(Renew(lease=former, at=after(now)), now)
            case "release":
                history.carry_out(ReleaseLease(lease=former), now)
            case _:
                upcoming = due(history.lock)
                if upcoming is not None and upcoming[0] <= after(now):
                    history.carry_out(upcoming[1], now)
        if len(history.grants) > granted and before:
            assert history.ends[before] <= now
