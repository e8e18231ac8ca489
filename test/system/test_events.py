"""`bookshelf events`, on either log: what is there, what comes, one event, all of one aggregate."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.until import eventually, until
from support.watched_log import Watched, on_kafka, on_sqlite

KAFKA = pytest.mark.needs("kafka")


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=KAFKA)], name="each_log")
async def on_each_log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Watched]:
    async with _opened(request, tmp_path) as there:
        yield there


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=[KAFKA, pytest.mark.slow])])
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Watched]:
    """The one log, and in `make test-slow` the other, for what does not depend on it."""
    async with _opened(request, tmp_path) as there:
        yield there


@asynccontextmanager
async def _opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Watched]:
    if request.param == "sqlite":
        async with on_sqlite(tmp_path) as there:
            yield there
        return
    async with on_kafka(request.getfixturevalue("kafka_broker").address) as there:
        yield there


def titles(log: Watched, *args: str) -> list[str]:
    return [line["event"]["data"]["title"] for line in log.lines("tail", "--no-follow", *args)]


async def test_existing_events_of_all_partitions_are_ordered_by_time(each_log: Watched) -> None:
    written = [await each_log.write(key, f"Book {n}", n) for n, key in enumerate("abcdefgh")]
    assert len({position.partition("@")[0] for position in written}) == 2
    found = each_log.lines("tail", "--from", "start", "--no-follow")
    assert [line["position"] for line in found] == written
    assert [line["key"] for line in found] == list("abcdefgh")
    assert found[0]["event"]["data"] == {"title": "Book 0"}
    output = each_log.output("events", "tail", "--from", "start", "--no-follow")
    assert [line.split()[:4] for line in output.splitlines()] == [
        [f"2024-01-01T00:0{n}:00Z", written[n], "shelf.book-added.v1", key]
        for n, key in enumerate("abcdefgh")
    ]


async def test_new_events_are_followed_until_interrupted(each_log: Watched) -> None:
    await each_log.write("a", "Before")
    with each_log.process("events", "tail", "--from", "start") as tail:
        until(lambda: "Before" in tail.printed, "what was there is shown")
        for key in "bcd":
            await each_log.write(key, f"Meanwhile {key}")
            until(lambda: f"Meanwhile {key}" in tail.printed, "what comes is shown")  # noqa: B023 (called here)
        ended = tail.stop(signal.SIGINT)
    assert (ended.code, ended.err, ended.out.count("\n")) == (130, "", 4)


async def test_without_a_start_only_new_events_are_shown(log: Watched) -> None:
    await log.write("a", "Before")

    async def ended() -> bool:
        await log.write("a", "After")
        return not tail.alive

    with log.process("events", "tail", "--count", "2") as tail:
        await eventually(ended, "two were shown", 30)
        assert tail.ended().well.count("After") == 2
        assert "Before" not in tail.ended().out


async def test_events_are_filtered_by_type_key_and_count(log: Watched) -> None:
    for n, key in enumerate("abcdef"):
        await log.write(key, f"Book {n}", n)
    await log.write_raw("a", b'{"type": "shelf.book-removed.v1", "data": {"title": "gone"}}')
    assert titles(log, "--from", "start", "--count", "2") == ["Book 0", "Book 1"]
    assert titles(log, "--from", "start", "--key", "c") == ["Book 2"]
    assert titles(log, "--from", "start", "--type", "shelf.book-rem*") == ["gone"]
    assert len(titles(log, "--from", "start", "--type", "*.book-added.*", "--type", "nothing")) == 6
    assert titles(log, "--since", "2024-01-01T00:04Z") == ["Book 4", "Book 5"]
    assert titles(log, "--since", "1d") == []
    assert titles(log) == []


async def test_a_partition_can_be_read_on_from_a_position(log: Watched) -> None:
    written = [await log.write("a", f"Book {n}") for n in range(3)]
    assert titles(log, "--from", written[1]) == ["Book 1", "Book 2"]


async def test_show_prints_the_whole_event(log: Watched) -> None:
    position = await log.write("a", "Dune")
    output = log.output("events", "show", position)
    assert output.splitlines()[0].split() == [position, "a"]
    assert '    "title": "Dune"' in output
    [line] = log.lines("show", position)
    assert line["event"]["data"] == {"title": "Dune"}


async def test_history_prints_all_events_of_one_aggregate_in_order(each_log: Watched) -> None:
    for n, key in enumerate("abab"):
        await each_log.write(key, f"Book {n}", 9 - n)
    found = each_log.lines("history", "b")
    assert [line["event"]["data"]["title"] for line in found] == ["Book 1", "Book 3"]


async def test_a_missing_position_or_id_is_reported(log: Watched) -> None:
    position = await log.write("a", "Dune")
    place, _, offset = position.partition("@")
    for args, output in (
        (("show", f"{place}@{int(offset) + 9}"), "there is no bookshelf/"),
        (("show", "bookshelf/7@0"), "bookshelf has 2 partitions"),
        (("show", "Dune"), "is not a position"),
        (("show", "garden/0@1"), "no service has a topic 'garden'"),
        (("history", "absent"), "bookshelf has no event of 'absent'"),
        (("tail", "--from", "yesterday"), "is not a position"),
        (("tail", "--since", "yesterday"), "is no time"),
        (("tail", "--from", "start", "--since", "2h"), "give one of them"),
        (("tail", "--from", f"{place}@99"), "nothing can be read from 99"),
        (("tail", "--from", "bookshelf/7@0"), "bookshelf has 2 partitions"),
    ):
        assert output in log.complaint("events", *args)
