"""An owner whose log fails: nothing is lost, carried out twice, or answered falsely."""

import asyncio

import pytest
from support.counter_context import TOPIC, Count, counted, everything, totals
from support.faulty import Fault, FaultyLog, breaks, full, gate, hangs, landed, lands_and_hangs, lost
from support.owners import Owners, ask, count, keyed, sent

from bookshelf.cqrs.errors import NotFound
from bookshelf.log.port import Fenced, LogFault, LogFull, OutcomeUnknown


@pytest.mark.parametrize("fault", [lost, landed])
async def test_after_an_unknown_outcome_the_command_is_written_once(
    owners: Owners, log: FaultyLog, fault: Fault
) -> None:
    host = await owners.host()
    await count(host, "a")
    log.appends.append(fault)
    outcome = await count(host, "a", 5)
    assert outcome.state.sum == 6
    assert await totals(log) == {"a": 6}
    assert (await count(host, "a")).state.sum == 7


@pytest.mark.parametrize("fault", [lost, landed])
async def test_after_an_unknown_outcome_a_repetition_gets_the_same_answer(
    owners: Owners, log: FaultyLog, fault: Fault
) -> None:
    host = await owners.host()
    log.appends.append(fault)
    first = await ask(host, keyed("a", "key", 5))
    again = await ask(host, keyed("a", "key", 5))
    assert (again.state, again.version, again.position) == (first.state, first.version, first.position)
    assert again.replayed
    assert len(await everything(log)) == 1


async def test_a_fenced_owner_reads_to_the_end_before_it_decides_again(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host()
    log.readable.clear()
    log.opened.clear()
    log.appends.append(landed)
    asked = host.ask(sent("a", Count(by=5)))
    async with asyncio.timeout(30):
        await log.opened.wait()
        log.readable.set()
        assert (await asked).state.sum == 5
    assert await totals(log) == {"a": 5}


@pytest.mark.parametrize("fault", [hangs, lands_and_hangs])
async def test_an_append_without_an_answer_is_an_unknown_outcome(log: FaultyLog, fault: Fault) -> None:
    async with Owners(log, append_s=1.0) as owners:
        host = await owners.host()
        log.appends.append(fault)
        assert (await count(host, "a", 5)).state.sum == 5
        assert await totals(log) == {"a": 5}


async def test_many_unknown_outcomes_in_a_row_change_nothing(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    log.appends.extend([lost, landed, landed, lost])
    async with asyncio.timeout(30):
        await asyncio.gather(*(host.ask(sent(key, Count(by=1))) for key in "abcde" * 20))
    assert await totals(log) == dict.fromkeys("abcde", 20)


async def test_a_full_disk_refuses_with_nothing_written_and_later_commands_work(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host()
    await count(host, "a")
    log.appends.append(full)
    with pytest.raises(LogFull):
        await count(host, "a", 5)
    assert await totals(log) == {"a": 1}
    assert (await count(host, "a", 0)).state.sum == 1
    assert (await count(host, "a", 2)).state.sum == 3


async def test_a_key_whose_command_was_not_appended_can_be_used(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    log.appends.append(full)
    with pytest.raises(LogFull):
        await ask(host, keyed("a", "key", 5))
    assert not (await ask(host, keyed("a", "key", 6))).replayed


async def test_no_command_is_answered_from_events_that_were_not_appended(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host()
    log.appends.append(full)
    said = [host.ask(sent("a", Count(by=2))), host.ask(sent("a", Count(by=0)))]
    async with asyncio.timeout(30):
        answers = await asyncio.gather(*said, return_exceptions=True)
    assert [type(answer) for answer in answers] == [LogFull, LogFull]
    with pytest.raises(NotFound):
        await ask(host, sent("a", Count(must=True)))


async def test_a_fenced_owner_opens_its_writer_again_and_reads_the_other_s_events(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host()
    await count(host, "a")
    other = await log.writer("tally", TOPIC, host.partition("a"))
    await other.append([counted("a", 10, command="theirs")])
    assert (await count(host, "a", 5)).state.sum == 16
    with pytest.raises(Fenced):
        await other.append([counted("a", 100)])
    assert (await ask(host, sent("a", id="theirs"))).replayed
    assert await totals(log) == {"a": 16}


async def test_a_fenced_owner_answers_without_events_only_after_reading_the_other_s_events(
    owners: Owners, log: FaultyLog
) -> None:
    host = await owners.host()
    await count(host, "a")
    log.readable.clear()
    other = await log.writer("tally", TOPIC, host.partition("a"))
    await other.append([counted("a", 10, command="theirs")])
    asked = host.ask(sent("a", Count(by=0)))
    await asyncio.wait({asked}, timeout=0.1)  # an answer from what was known before would come at once
    log.readable.set()
    async with asyncio.timeout(30):
        assert (await asked).state.sum == 11


async def test_a_defect_of_the_log_fails_all_queued_commands(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    await count(host, "a")
    log.appends.append(breaks)
    with pytest.raises(OutcomeUnknown):
        await count(host, "a", 5)


async def test_a_failed_owner_becomes_ready_again_and_reports_it(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    log.appends.append(breaks)
    with pytest.raises(OutcomeUnknown):
        await count(host, "a", 5)
    said = host.fault
    assert said is not None
    async with asyncio.timeout(30):
        await host.served()
    assert host.fault is None
    assert (await count(host, "a")).state.sum == 1


async def test_a_host_that_fails_to_start_tries_again(owners: Owners, log: FaultyLog) -> None:
    log.opens.append(LogFault("no broker answers"))
    log.tails.append(LogFault("no broker answers"))
    host = await owners.host()
    assert (len(host.owned), host.fault) == (4, None)


async def test_a_cancelled_request_does_not_affect_others(owners: Owners, log: FaultyLog) -> None:
    host = await owners.host()
    reached, opened = asyncio.Event(), asyncio.Event()
    log.appends.append(gate(reached, opened))
    gone, stays = host.ask(sent("a")), host.ask(sent("a"))
    async with asyncio.timeout(30):
        await reached.wait()
        gone.cancel()
        opened.set()
        assert (await stays).state.sum == 2
