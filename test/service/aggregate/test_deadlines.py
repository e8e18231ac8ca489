"""What is due is done when its time has come, once, unless it was changed or cleared before."""

from dataclasses import replace

import msgspec
import pytest
from support.counter_context import everything, said, written
from support.faulty import FaultyLog
from support.fixed_infrastructure import NOW, FixedClock
from support.owners import Owners
from support.timers import (
    HOUR,
    KEYS,
    MINUTE,
    TIMER,
    Manner,
    Rang,
    Ring,
    Timer,
    WasSet,
    all_rang,
    passed,
    rung,
    timed,
    types,
)
from support.until import eventually

from bookshelf.cqrs.envelope import ANSWERED
from bookshelf.cqrs.message import Command, Event


@pytest.fixture
def clock(owners: Owners) -> FixedClock:
    return owners.clock


async def test_a_deadline_is_carried_out_at_its_time_and_not_before(
    owners: Owners, log: FaultyLog, clock: FixedClock
) -> None:
    host = await owners.host(TIMER)
    await timed(host, "a", HOUR)
    await timed(host, "b", HOUR / 2)
    clock.move(HOUR - MINUTE)
    await all_rang(log, "b")
    clock.move(MINUTE)
    await all_rang(log, "a", "b")


async def test_a_deadline_that_comes_in_a_pause_is_carried_out_after_it(
    owners: Owners, log: FaultyLog, clock: FixedClock
) -> None:
    host = await owners.host(TIMER)
    await timed(host, "a", HOUR)
    owners.resumed.clear()
    clock.move(2 * HOUR)
    for number in range(10):  # commands are carried out meanwhile
        await timed(host, f"b{number}", 9 * HOUR)
    assert await rung(log) == {}
    owners.resumed.set()
    await all_rang(log, "a")


async def test_events_of_a_deadline_name_it(owners: Owners, log: FaultyLog, clock: FixedClock) -> None:
    host = await owners.host(TIMER)
    await timed(host, "a")
    clock.move(2 * HOUR)
    await all_rang(log, "a")
    event = msgspec.json.decode((await everything(log))[-1].value)
    assert event["commandid"] == "due-2026-03-01T13:00:00.000000+00:00"
    assert (event["time"], event["actor"]) == ("2026-03-01T14:00:00Z", "timer")


async def test_a_past_deadline_is_carried_out_at_once(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host(TIMER)
    await timed(host, "a", -HOUR)
    await all_rang(log, "a")


async def test_an_earlier_deadline_that_is_set_later_is_carried_out_first(
    owners: Owners, log: FaultyLog, clock: FixedClock
) -> None:
    host = await owners.host(TIMER)
    await timed(host, "a", 2 * HOUR)
    beside = next(key for key in KEYS if host.partition(key) == host.partition("a"))
    await timed(host, beside, HOUR)
    clock.move(HOUR)
    await all_rang(log, beside)


async def test_a_changed_or_cleared_deadline_is_not_carried_out(
    owners: Owners, log: FaultyLog, clock: FixedClock
) -> None:
    host = await owners.host(TIMER)
    for key in ("cleared", "later", "sooner"):
        await timed(host, key, HOUR)
    await timed(host, "cleared", None)
    await timed(host, "later", 3 * HOUR)
    await timed(host, "sooner", HOUR / 2)
    clock.move(2 * HOUR)
    await passed(host, log, clock)
    assert {"cleared", "later", "sooner"} & (await rung(log)).keys() == {"sooner"}
    clock.move(HOUR)
    await passed(host, log, clock, "another")
    assert (await rung(log))["later"] == 1


async def test_a_deadline_cleared_by_an_unread_event_is_not_carried_out(
    owners: Owners, log: FaultyLog, clock: FixedClock
) -> None:
    host = await owners.host(TIMER)
    await timed(host, "a")
    log.readable.clear()
    cleared = said(WasSet.TYPE, "a", msgspec.json.encode(WasSet(when=None)), source="another")
    await written(log, cleared, partition=host.partition("a"))
    clock.move(HOUR)
    log.readable.set()
    await passed(host, log, clock)
    assert "a" not in await rung(log)


async def test_a_deadline_set_by_an_event_of_another_service_is_carried_out(
    owners: Owners, log: FaultyLog, clock: FixedClock
) -> None:
    host = await owners.host(TIMER)
    event = said(WasSet.TYPE, "a", msgspec.json.encode(WasSet(when=NOW + HOUR)), source="another")
    await written(log, event, partition=host.partition("a"))
    clock.move(HOUR)
    await all_rang(log, "a")


@pytest.mark.parametrize("manner", ["appends nothing", "is refused", "stays"])
async def test_a_deadline_that_stays_due_is_carried_out_once(
    owners: Owners, log: FaultyLog, clock: FixedClock, manner: Manner
) -> None:
    host = await owners.host(TIMER)
    await timed(host, "a", HOUR, manner)
    clock.move(HOUR)
    await passed(host, log, clock)
    once = [WasSet.TYPE, Rang.TYPE if manner == "stays" else ANSWERED]
    assert await types(log, "a") == once
    await owners.stop()
    clock.move(HOUR)
    await passed(await owners.host(TIMER), log, clock, "another")
    assert await types(log, "a") == once


async def test_a_failed_deadline_is_tried_again_after_a_minute_and_delays_no_other(
    owners: Owners, log: FaultyLog, clock: FixedClock
) -> None:
    tries = 0

    def decide(timer: Timer, command: Command) -> list[Event]:
        nonlocal tries
        if isinstance(command, Ring) and timer.manner == "breaks":
            tries += 1
            return [Rang()] if tries > 1 else TIMER.decide(timer, command)
        return TIMER.decide(timer, command)

    host = await owners.host(replace(TIMER, decide=decide))
    await timed(host, "a", HOUR, "breaks")
    clock.move(HOUR)
    await passed(host, log, clock)
    assert (await types(log, "a"), tries) == ([WasSet.TYPE], 1)
    clock.move(MINUTE)
    await eventually(lambda: _has_rung(log, "a"), "it is tried again")


async def _has_rung(log: FaultyLog, key: str) -> bool:
    return key in await rung(log)
