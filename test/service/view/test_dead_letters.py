"""A record that a view cannot apply becomes a dead letter, which holds its key back; the rest goes on."""

import pytest
from support.counter_context import Counted, counted, said, sums, written
from support.faulty import FaultyLog
from support.views import (
    BREAKS_HANDLER,
    BREAKS_STATEMENT,
    TOO_LARGE,
    BreakableView,
    Views,
    answer,
    caught_up,
    place,
)

from bookshelf.cqrs.envelope import DROPPED
from bookshelf.cqrs.position import Position
from bookshelf.log.port import NewRecord
from bookshelf.runtime.view.dead_letters import find, listed, retry

POISONS = {
    "no JSON": NewRecord("a", b"\xff\x00"),
    "no envelope": NewRecord("a", b"{}"),
    "a bomb": NewRecord("a", b"[" * 100_000),
    "data of another shape": said(Counted.TYPE, "a", b'{"by": "many"}'),
    "a defect of the handler": counted("a", BREAKS_HANDLER),
    "a statement that fails": counted("a", BREAKS_STATEMENT),
    "a number that no row can hold": counted("a", TOO_LARGE),
}


@pytest.fixture
def fragile() -> BreakableView:
    return BreakableView()


@pytest.mark.parametrize("poison", POISONS)
async def test_a_poison_message_becomes_a_dead_letter_and_others_are_applied(
    views: Views, log: FaultyLog, fragile: BreakableView, poison: str
) -> None:
    host = await views.host(fragile.view)
    batch = [counted("a", 1), counted("b", 1), POISONS[poison], counted("a", 5), counted("b", 2)]
    await written(log, *batch)
    assert await answer(host, log) == {"a": 1, "b": 3}
    first, second = await listed(host.rows)
    assert (first.view, first.position, first.key, first.behind) == ("tallies", "tallies/0@2", "a", False)
    assert first.reason
    assert (second.position, second.behind) == ("tallies/0@3", True)
    assert second.reason == "an earlier record of this key is a dead letter"


async def test_later_records_of_a_held_back_key_are_held_back(
    views: Views, log: FaultyLog, fragile: BreakableView
) -> None:
    host = await views.host(fragile.view)
    await written(log, counted("a", BREAKS_HANDLER))
    await caught_up(host, log)
    await written(log, counted("a", 1), counted("b", 1))
    assert await answer(host, log) == {"b": 1}
    assert [(dead_letter.position, dead_letter.behind) for dead_letter in await listed(host.rows)] == [
        ("tallies/0@0", False),
        ("tallies/0@1", True),
    ]


async def test_held_back_records_survive_a_restart(
    views: Views, log: FaultyLog, fragile: BreakableView
) -> None:
    host = await views.host(fragile.view)
    await written(log, counted("a", BREAKS_HANDLER))
    await caught_up(host, log)
    await views.stop()
    await written(log, counted("a", 1))
    again = await views.host(fragile.view)
    assert await answer(again, log) == {}
    assert [dead_letter.behind for dead_letter in await listed(again.rows)] == [False, True]


async def test_a_record_with_a_nul_character_becomes_a_dead_letter(
    views: Views, log: FaultyLog, fragile: BreakableView
) -> None:
    host = await views.host(fragile.view)
    await written(
        log, NewRecord("a\0", b'{"\0": \xff}'), NewRecord("a\0", b"{}"), counted("b\0", 1), counted("b", 1)
    )
    assert (await answer(host, log))["b"] == 1
    dead_letters = await listed(host.rows)
    assert [(dead_letter.position, dead_letter.behind) for dead_letter in dead_letters][:2] == [
        ("tallies/0@0", False),
        ("tallies/0@1", True),
    ]


async def test_a_retry_after_a_fix_applies_all_records_in_order(
    views: Views, log: FaultyLog, fragile: BreakableView
) -> None:
    host = await views.host(fragile.view)
    await written(log, counted("a", BREAKS_HANDLER), counted("a", 1), counted("b", BREAKS_STATEMENT))
    await caught_up(host, log)
    assert await retry(host.rows) == 0
    assert len(await listed(host.rows)) == 3
    fragile.repaired = True
    before = host.revision
    assert await retry(host.rows) == 3
    assert await host.query(sums) == {"a": BREAKS_HANDLER + 1, "b": BREAKS_STATEMENT}
    assert await listed(host.rows) == []
    assert host.revision > before
    await written(log, counted("a", 1))
    assert (await answer(host, log))["a"] == BREAKS_HANDLER + 2


async def test_a_retry_of_one_key_leaves_other_dead_letters(
    views: Views, log: FaultyLog, fragile: BreakableView
) -> None:
    host = await views.host(fragile.view)
    await written(log, counted("a", BREAKS_HANDLER), counted("b", BREAKS_HANDLER))
    await caught_up(host, log)
    fragile.repaired = True
    assert await retry(host.rows, "a") == 1
    assert await host.query(sums) == {"a": BREAKS_HANDLER}
    assert [dead_letter.key for dead_letter in await listed(host.rows)] == ["b"]


async def test_a_retry_keeps_records_that_still_fail(
    views: Views, log: FaultyLog, fragile: BreakableView
) -> None:
    host = await views.host(fragile.view)
    await written(log, counted("a", BREAKS_HANDLER), POISONS["no JSON"], counted("a", 1))
    await caught_up(host, log)
    fragile.repaired = True
    assert await retry(host.rows) == 1
    assert [(dead_letter.position, dead_letter.behind) for dead_letter in await listed(host.rows)] == [
        ("tallies/0@1", False),
        ("tallies/0@2", True),
    ]


def given_up(offset: int) -> NewRecord:
    return said(DROPPED, "a", b'{"offset": %d}' % offset)


async def test_dropping_a_dead_letter_applies_the_records_it_held_back(
    views: Views, log: FaultyLog, fragile: BreakableView
) -> None:
    host = await views.host(fragile.view)
    await written(log, POISONS["no JSON"], counted("a", 1), counted("a", 2))
    await caught_up(host, log)
    dead_letter = await find(host.rows, place(0, 0))
    assert dead_letter is not None
    assert dead_letter.key == "a"
    await written(log, given_up(0), counted("a", 3))
    assert await answer(host, log) == {"a": 6}
    assert await listed(host.rows) == []


async def test_a_dropped_record_stays_dropped_after_a_rebuild(
    views: Views, log: FaultyLog, fragile: BreakableView
) -> None:
    host = await views.host(fragile.view)
    await written(log, POISONS["no JSON"], counted("a", 1), given_up(0))
    await caught_up(host, log)
    await host.rebuild(lambda _done, _total: None)
    assert await host.query(sums) == {"a": 1}
    assert await listed(host.rows) == []


async def test_dropping_a_held_back_record_does_not_skip_applicable_ones(
    views: Views, log: FaultyLog, fragile: BreakableView
) -> None:
    """The owner has applied it, and rows that are made anew will: so it is applied here as well."""
    host = await views.host(fragile.view)
    await written(log, POISONS["no JSON"], counted("a", 1), counted("a", 2), given_up(1))
    await caught_up(host, log)
    dead_letters = await listed(host.rows)
    assert [(dead_letter.position, dead_letter.behind) for dead_letter in dead_letters] == [
        ("tallies/0@0", False),
        ("tallies/0@1", True),
        ("tallies/0@2", True),
    ]
    assert dead_letters[1].reason.startswith("given up")
    await written(log, given_up(0))
    assert await answer(host, log) == {"a": 3}
    await host.rebuild(lambda _done, _total: None)
    assert await host.query(sums) == {"a": 3}


#: What a key's records are, and in which order its poison messages are given up.
DROPS = [(0, 2), (2, 0), (1, 0, 2), (2, 1, 2, 0)]


@pytest.mark.parametrize("drops", DROPS, ids=str)
@pytest.mark.parametrize("step", ["nothing", "rebuild", "restart"])
async def test_live_and_rebuilt_rows_agree_on_dropped_records_in_any_order(
    views: Views, log: FaultyLog, fragile: BreakableView, drops: tuple[int, ...], step: str
) -> None:
    """Records: poison, 1, poison, 2, of which some are given up, with something done between each."""
    host = await views.host(fragile.view)
    await written(log, POISONS["no JSON"], counted("a", 1), POISONS["no envelope"], counted("a", 2))
    for offset in drops:
        await written(log, given_up(offset))
        await caught_up(host, log)
        if step == "rebuild":
            await host.rebuild(lambda _done, _total: None)
        elif step == "restart":
            await views.stop()
            host = await views.host(fragile.view)
    assert await answer(host, log) == {"a": 3}
    assert await listed(host.rows) == []
    await written(log, counted("a", 4))
    assert await answer(host, log) == {"a": 7}


@pytest.mark.parametrize("poison", POISONS)
async def test_records_before_a_poison_message_of_a_batch_are_applied(
    views: Views, log: FaultyLog, fragile: BreakableView, poison: str
) -> None:
    """Also if the whole batch fails for the sake of another key."""
    host = await views.host(fragile.view)
    await written(
        log,
        counted("a", 1),
        counted("b", 1),
        counted("b", BREAKS_STATEMENT),
        POISONS[poison],
        counted("a", 5),
    )
    assert await answer(host, log) == {"a": 1, "b": 1}
    assert [(dead_letter.position, dead_letter.behind) for dead_letter in await listed(host.rows)] == [
        ("tallies/0@2", False),
        ("tallies/0@3", False),
        ("tallies/0@4", True),
    ]


async def test_only_dead_letters_can_be_dropped(views: Views, log: FaultyLog, fragile: BreakableView) -> None:
    host = await views.host(fragile.view)
    await written(log, POISONS["no JSON"], given_up(5), said(DROPPED, "a", b'{"offset": "none"}'))
    await caught_up(host, log)
    assert [dead_letter.position for dead_letter in await listed(host.rows)] == ["tallies/0@0", "tallies/0@2"]
    for elsewhere in (place(0, 5), place(1, 0), Position("bookshelf", 0, 0)):
        assert await find(host.rows, elsewhere) is None
