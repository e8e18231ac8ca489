"""A deadline is carried out once by the present owner: after a fault, a restart, or a move."""

from concurrent.futures import Executor
from pathlib import Path

import pytest
from support.counter_context import said, strange, written
from support.faulty import Fault, FaultyLog, full, landed, lost
from support.fixed_infrastructure import FixedClock
from support.owners import Owners, ask, divided, sent, sqlite_stores
from support.timers import (
    HOUR,
    KEYS,
    MINUTE,
    TIMER,
    Set,
    WasSet,
    all_rang,
    passed,
    rung,
    timed,
)
from support.until import eventually

from bookshelf.cqrs.errors import Invalid
from bookshelf.log.deduplicated import WINDOW
from bookshelf.log.in_process import GroupMembership
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import Change, Tail


@pytest.fixture
def clock(owners: Owners) -> FixedClock:
    return owners.clock


async def test_a_full_disk_delays_due_deadlines_by_a_minute(
    owners: Owners, log: FaultyLog, clock: FixedClock
) -> None:
    host = await owners.host(TIMER)
    await timed(host, "a")
    log.appends.append(full)
    clock.move(HOUR)
    await eventually(lambda: _used_up(log), "the disk was full once")
    clock.move(MINUTE)
    await all_rang(log, "a")


async def _used_up(log: FaultyLog) -> bool:
    return not log.appends


@pytest.mark.parametrize("fault", [lost, landed])
async def test_after_an_unknown_outcome_a_deadline_is_carried_out_once(
    owners: Owners, log: FaultyLog, clock: FixedClock, fault: Fault
) -> None:
    host = await owners.host(TIMER)
    for key in KEYS:
        await timed(host, key)
    log.appends.extend([fault] * 6)
    clock.move(HOUR)
    await all_rang(log, *KEYS)
    await passed(host, log, clock)
    assert {(await rung(log))[key] for key in KEYS} == {1}


async def test_a_restart_keeps_later_deadlines(owners: Owners, log: FaultyLog, clock: FixedClock) -> None:
    host = await owners.host(TIMER)
    for key in KEYS:
        await timed(host, key)
    await owners.stop()
    await owners.host(TIMER)
    clock.move(HOUR)
    await all_rang(log, *KEYS)


async def test_a_deadline_that_passed_during_a_stop_is_carried_out_at_the_start(
    owners: Owners, log: FaultyLog, clock: FixedClock
) -> None:
    host = await owners.host(TIMER)
    await timed(host, "a")
    await owners.stop()
    clock.move(2 * HOUR)
    await owners.host(TIMER)
    await all_rang(log, "a")
    await owners.stop()
    await passed(await owners.host(TIMER), log, clock)
    assert (await rung(log))["a"] == 1


async def test_deadlines_move_with_their_partitions(
    owners: Owners, log: FaultyLog, clock: FixedClock
) -> None:
    hosts = [await owners.host(TIMER)]
    for n, key in enumerate(KEYS):
        await timed(hosts[0], key, HOUR * (1 + n % 3))
    hosts.append(await owners.host(TIMER))
    clock.move(HOUR)
    await all_rang(log, *KEYS[::3])
    hosts.append(await owners.host(TIMER))
    clock.move(HOUR)
    await hosts.pop(0).stop()
    await all_rang(log, *KEYS[::3], *KEYS[1::3])
    await hosts.pop(0).stop()
    clock.move(HOUR)
    await all_rang(log, *KEYS)
    await divided(hosts, {0, 1, 2, 3})


class Everyones(MemoryLog):
    """A log whose groups give everything to everyone, as to one that does not know it was put out."""

    async def join(self, group: str, topic: str, assigned: Change, revoked: Change) -> GroupMembership:
        return await super().join(f"{group}-{id(assigned)}", topic, assigned, revoked)


async def test_two_owners_of_a_partition_carry_out_a_deadline_once() -> None:
    log, clock = FaultyLog(Everyones(1)), FixedClock()
    async with Owners(log, clock=clock) as owners:
        first, _ = await owners.host(TIMER), await owners.host(TIMER)
        for key in KEYS:
            await timed(first, key)
        clock.move(HOUR)
        await all_rang(log, *KEYS)
        await passed(first, log, clock)
    assert {(await rung(log))[key] for key in KEYS} == {1}


async def test_a_deadline_of_a_held_back_aggregate_waits(
    owners: Owners, log: FaultyLog, clock: FixedClock
) -> None:
    host = await owners.host(TIMER)
    await timed(host, "a")
    await written(log, said(WasSet.TYPE, "a", b'{"when": 7}'), partition=host.partition("a"))
    clock.move(HOUR)
    await passed(host, log, clock)
    assert "a" not in await rung(log)


async def test_a_client_cannot_use_the_command_id_of_a_deadline(owners: Owners) -> None:
    host = await owners.host(TIMER)
    with pytest.raises(Invalid, match="kept for the service itself"):
        await ask(host, sent("a", Set(when=None), id="due-2026-03-01T13:00:00.000000+00:00", hash="mine"))


class Read(FaultyLog):
    """Notes from where on the log is read."""

    def __init__(self) -> None:
        super().__init__(MemoryLog(1))
        self.read_from: list[int] = []

    async def tail(self, topic: str, partition: int, offset: int) -> Tail:
        self.read_from.append(offset)
        return await super().tail(topic, partition, offset)


async def test_stored_deadlines_are_loaded_without_replay(tmp_path: Path, thread: Executor) -> None:
    log, clock = Read(), FixedClock()
    await written(log, *strange(WINDOW))  # what is read for repetitions alone
    async with Owners(log, sqlite_stores(tmp_path), thread, clock=clock) as owners:
        host = await owners.host(TIMER)
        for key in KEYS:
            await timed(host, key)
    async with Owners(log, sqlite_stores(tmp_path), thread, clock=clock) as owners:
        await owners.host(TIMER)
        assert log.read_from == [0, len(KEYS)]
        clock.move(HOUR)
        await all_rang(log, *KEYS)
