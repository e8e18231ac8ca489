"""Records that no service of ours would write, and a topic of which the beginning is gone."""

import asyncio
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from chaos.kafka.result_table import Row
from chaos.kafka.topic_state import Line, read_topic
from chaos.kafka.trial import ROUNDS, Fault, Trial, seeded_random, trial
from support.fleet import AGGREGATES, PARTITIONS, VIEWS, Fleet
from support.kafka import Broker, brokers
from support.kafka_log import admin_of
from support.load import Load
from support.proxied_consul import ProxiedConsul

from bookshelf.shelf.events import TOPIC

pytestmark = [pytest.mark.needs("kafka", "consul"), pytest.mark.chaos, pytest.mark.slow]
LARGE = 10 << 20

Written = Sequence[tuple[int, bytes | None, bytes | None]]


async def _write(broker: str, records: Written) -> None:
    async with AIOKafkaProducer(bootstrap_servers=broker, max_request_size=16 << 20) as producer:
        for partition, key, value in records:
            await producer.send_and_wait(TOPIC, value, key, partition=partition)


def written(broker: str, records: Written) -> None:
    asyncio.run(asyncio.wait_for(_write(broker, records), 60))


def made_anew(fleet: Fleet, name: str) -> None:
    """Have a member lose all that it has on its disk, without notice."""
    fleet.members[name].kill()
    shutil.rmtree(fleet.folder / "data" / "run" / name)


def of_a_book(fleet: Fleet, trial: Trial) -> list[Line]:
    """Have a book added, changed and finished beside the load; return its records."""
    client = fleet.gateway
    book = client.add(f"{trial.fault} {trial.rounds}")["id"]
    assert client.patch(f"/books/{book}", {"notes": "first"}).status == 200
    assert client.patch(f"/books/{book}", {"notes": "second"}).status == 200
    assert client.post(f"/books/{book}/finished", {"review": "read"}).status == 204
    return [line for line in read_topic(fleet.broker) if line.key == book]


def changed_once_more(fleet: Fleet, book: str) -> None:
    """The book still takes a change, and both views show it, with what it was before."""
    client = fleet.gateway
    assert client.patch(f"/books/{book}", {"pages": 77}).status == 200
    shown = client.get(f"/books/{book}").json
    assert (shown["pages"], shown["notes"], shown["review"]) == (77, "second", "read")


def test_duplicate_records_are_applied_once(fleet: Fleet, fault: Fault) -> None:
    with fault("records: all of a book once more, as a copy of the topic may have them") as trial:
        for _ in range(ROUNDS):
            trial.under_load()
            lines = of_a_book(fleet, trial)
            for again in (lines, lines[1:2], lines[:1]):
                written(fleet.broker, [(one.partition, one.key.encode(), one.value) for one in again])
            trial.over()
            changed_once_more(fleet, lines[0].key)
            for name in ("booklist-1", "lastreadbooks-1", "newbook-1", "readbook-2"):
                made_anew(fleet, name)
            fleet.whole()
            trial.recovered()
            changed_once_more(fleet, lines[0].key)


def newer(line: Line) -> bytes:
    """The record as a later release may write it: the next version of its type, and an unknown field."""
    envelope = msgspec.json.decode(line.value)
    envelope |= {
        "type": envelope["type"].replace(".v1", ".v2"),
        "id": "newer",
        "data": {"title": ["?"]},
        "n": 1,
    }
    return msgspec.json.encode(envelope)


def strange(book: Line, round_: int) -> Iterator[tuple[int, bytes | None, bytes | None]]:
    unknown = newer(book).replace(b"shelf.book-added", b"shelf.book-burnt")
    yield book.partition, book.key.encode(), newer(book)
    yield book.partition, book.key.encode(), unknown
    for partition in range(PARTITIONS):
        garbage = [b"", b"\xff\x00", b"{}", b"[" * 100_000, b"null", None, b"x" * LARGE]
        for number, value in enumerate(garbage):
            yield partition, f"stranger {round_} {number}".encode(), value
        yield partition, None, b"no key"
        yield partition, b"\xff\xfe", b"a key that is no text"


def test_unknown_and_malformed_records_are_skipped_or_isolated(fleet: Fleet, fault: Fault) -> None:
    with fault("records: unknown type, newer version, no JSON, no key, 10 MB") as trial:
        for round_ in range(ROUNDS):
            trial.under_load()
            lines = of_a_book(fleet, trial)
            written(fleet.broker, list(strange(lines[0], round_)))
            trial.over()
            trial.recovered()
            changed_once_more(fleet, lines[0].key)
            for name in ("booklist-1", "lastreadbooks-1", "newbook-2", "readbook-1"):
                made_anew(fleet, name)
            trial.over()
            fleet.whole()
            trial.recovered()
            changed_once_more(fleet, lines[0].key)


async def _truncate(broker: str) -> None:
    async with admin_of(broker) as admin:
        every = {TopicPartition(TOPIC, partition): RecordsToDelete(-1) for partition in range(PARTITIONS)}
        await admin.delete_records(every)


@pytest.fixture
def own(tmp_path: Path, proxied_consul_alone: ProxiedConsul) -> Iterator[Fleet]:
    """A fleet on a broker of its own: what it has lost would be missed."""
    with brokers(tmp_path / "broker") as [broker]:
        assert isinstance(broker, Broker)
        made = Fleet(tmp_path / "fleet", broker.address, proxied_consul_alone.address)
        made.whole([1])
        yield made
        made.close()


def test_a_topic_is_truncated(own: Fleet, table: list[Row]) -> None:
    """Deleted records are missing in the views, which log a gap; the remaining and later ones are applied."""
    name = "records: the topic is truncated past the checkpoints"
    with Load(own.gateway, "before", seeded_random("before")) as load:
        load.goes_on(100)
        for service in VIEWS:
            own.retire(f"{service}-1")
        load.goes_on(100)
    for service in AGGREGATES:
        made_anew(own, f"{service}-1")
    asyncio.run(_truncate(own.broker))
    own.whole([1])
    with trial(own, name, seeded_random("truncated"), table) as running:
        running.under_load()
        running.recovered()
    for service in VIEWS:
        assert '"gap"' in own.members[f"{service}-1"].complaints
