"""`bookshelf dlq` and `bookshelf views rebuild` for an instance of `bookshelf run`, on a real broker."""

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.client import Client
from support.consul import Agent
from support.instance import Instance, names_of_its_own
from support.kafka import Broker
from support.kafka_log import kafka_log
from support.logfile import event
from support.process import Ended, bookshelf

from bookshelf.log.port import NewRecord

pytestmark = pytest.mark.needs("kafka", "consul")

TOPIC, KEY = "bookshelf", "a"


class PoisonedLog(NamedTuple):
    """Where a log of two partitions and an agent are; at `poison` is a record that is no event."""

    env: Mapping[str, str]
    data: Path
    poison: str


@pytest.fixture
async def poisoned(kafka_broker: Broker, consul_agent: Agent, tmp_path: Path) -> AsyncIterator[PoisonedLog]:
    names = names_of_its_own()
    async with kafka_log(
        kafka_broker.address, TOPIC, prefix=names["BOOKSHELF_KAFKA_PREFIX"], partitions=2
    ) as log:
        writer = await log.writer("stranger", TOPIC, 0)
        added = event(
            "shelf.book-added.v1", KEY, {"title": "Kim", "author": "x", "added": "2024-01-01T00:00:00Z"}
        )
        await writer.append([NewRecord(KEY, added)])
        [offset] = await writer.append([NewRecord(KEY, b"no event")])
        await writer.append([NewRecord(KEY, event("shelf.book-finished.v1", KEY, {"rating": 4}))])
    places = {
        "BOOKSHELF_BROKER": kafka_broker.address,
        "BOOKSHELF_CONSUL": f"127.0.0.1:{consul_agent.ports.http}",
    }
    yield PoisonedLog({**names, **places}, tmp_path, f"{TOPIC}/0@{offset}")
    consul_agent.clear()


def operator_command(poisoned: PoisonedLog, *args: str) -> Ended:
    return bookshelf(*args, "--data", poisoned.data)


def dead_letters(poisoned: PoisonedLog, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        operator_command(poisoned, "dlq", "list", "--json", "--instance", name).well
    )
    return found


def test_dead_letters_of_an_instance_are_listed_retried_and_dropped(poisoned: PoisonedLog) -> None:
    with Instance("booklist", poisoned.data, env=poisoned.env).ready() as booklist:
        name, book = ("--instance", booklist.name), booklist.client.get(f"/books/{KEY}")
        assert book.json["rating"] is None
        first, behind = dead_letters(poisoned, booklist.name)
        assert (first["position"], first["behind"], behind["behind"]) == (poisoned.poison, False, True)
        assert operator_command(poisoned, "dlq", "retry", *name).well == "0 applied, 2 left.\n"
        assert operator_command(poisoned, "dlq", "drop", poisoned.poison, *name).well.startswith(
            f"{poisoned.poison} is given up"
        )
        assert dead_letters(poisoned, booklist.name) == []
        assert booklist.client.get(f"/books/{KEY}").json["rating"] == 4
        assert booklist.stop().code == 0


def test_a_record_dropped_at_one_instance_is_dropped_at_all(poisoned: PoisonedLog) -> None:
    with (
        Instance("booklist", poisoned.data, env=poisoned.env).ready() as booklist,
        Instance("lastreadbooks", poisoned.data, env=poisoned.env).ready() as last,
    ):
        assert last.client.get("/books/last/read").json == []
        assert operator_command(poisoned, "dlq", "drop", poisoned.poison, "--instance", booklist.name).well
        after = {"Bookshelf_After": f"{TOPIC}/0@{_end(booklist.client)}"}
        [book] = last.client.get("/books/last/read", **after).json
        assert book["rating"] == 4


def _end(client: Client) -> int:
    """Return the offset of the last record that the list's rows have."""
    [line] = [
        line
        for line in client.get("/metrics").content.decode().splitlines()
        if line.startswith("bookshelf_view_offset") and 'partition="0"' in line
    ]
    return int(float(line.split()[-1])) - 1


def test_the_rows_of_an_instance_are_rebuilt(poisoned: PoisonedLog) -> None:
    with Instance("booklist", poisoned.data, env=poisoned.env).ready() as booklist:
        before = sorted(one.name for one in (booklist.folder / "views").rglob("*.sqlite"))
        said = operator_command(poisoned, "views", "rebuild", "booklist", "--instance", booklist.name).well
        assert "booklist is rebuilt from" in said
        assert sorted(one.name for one in (booklist.folder / "views").rglob("*.sqlite")) != before
        assert booklist.client.get(f"/books/{KEY}").json["title"] == "Kim"


def test_the_log_level_of_all_instances_or_of_one_is_changed(poisoned: PoisonedLog) -> None:
    with (
        Instance("booklist", poisoned.data, env=poisoned.env).ready() as booklist,
        Instance("lastreadbooks", poisoned.data, env=poisoned.env).ready() as last,
    ):
        both = operator_command(poisoned, "log-level", "debug").well
        assert both == f"{booklist.name}: log level debug\n{last.name}: log level debug\n"
        one = operator_command(poisoned, "log-level", "info", "--instance", last.name).well
        assert one == f"{last.name}: log level info\n"


def test_an_ambiguous_or_stopped_instance_is_refused(poisoned: PoisonedLog) -> None:
    with Instance("booklist", poisoned.data, env=poisoned.env).ready() as booklist:
        unsaid = operator_command(poisoned, "dlq", "list").complaint
        assert booklist.name in unsaid
        assert "--instance" in unsaid
        assert not (poisoned.data / "log.sqlite").exists()
        wrong = operator_command(poisoned, "dlq", "list", "--instance", "booklist-8084").complaint
        assert f"those that run: {booklist.name}" in wrong
        assert (
            "is no instance's name"
            in operator_command(poisoned, "dlq", "list", "--instance", "../run").complaint
        )
        assert booklist.stop().code == 0
    gone = operator_command(poisoned, "dlq", "list", "--instance", booklist.name).complaint
    assert "those that run: none" in gone


def test_the_admin_api_refuses_requests_without_the_key_of_the_folder(poisoned: PoisonedLog) -> None:
    with Instance("booklist", poisoned.data, env=poisoned.env).ready() as booklist:
        note = booklist.note
        assert (note.control_host, booklist.folder.stat().st_mode & 0o777) == ("127.0.0.1", 0o700)
        assert (booklist.folder / "running.json").stat().st_mode & 0o777 == 0o600
        door = Client(f"http://{note.control_host}:{note.control_port}")
        for key in ({}, {"Authorization": "Bearer x"}, {"Authorization": note.token}):
            answer = door.ask("GET", "/letters", **key)
            assert (answer.status, answer.content) == (403, b"")
        assert door.ask("GET", "/letters", Authorization=f"Bearer {note.token}").status == 200
        assert booklist.client.ask("GET", "/letters").status == 404
