"""A rolling upgrade on Kafka: instances of the former release and of this one, side by side.

The former release runs from its own code (test/fixtures/former-release), on the same broker and agent.
"""

import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.client import Client, Reply
from support.consul import Agent
from support.fleet import HOST, Fleet
from support.instance import names_of_its_own
from support.kafka import Broker
from support.until import until

pytestmark = pytest.mark.needs("kafka", "consul")
CODE = Path(__file__).parents[1] / "fixtures/former-release/release.tar.xz"
FORMER, PRESENT = 1, 2
SERVICES = ("newbook", "readbook", "booklist")
BOOKS = 12


@pytest.fixture
def fleet(tmp_path: Path, kafka_broker: Broker, consul_agent: Agent) -> Iterator[Fleet]:
    """The former release's instances, ready."""
    with tarfile.open(CODE) as archive:
        archive.extractall(tmp_path / "former", filter="data")
    made = Fleet(
        tmp_path / "fleet",
        kafka_broker.address,
        f"{HOST}:{consul_agent.ports.http}",
        **names_of_its_own(),
    )
    with closing(made):
        program = ["env", f"PYTHONPATH={tmp_path / 'former'}", sys.executable, "-P", "-m", "bookshelf"]
        for member in [made.launch(service, FORMER, program) for service in SERVICES]:
            member.ready()
        yield made
    consul_agent.clear()


def client(fleet: Fleet, service: str, release: int) -> Client:
    """Return a client of the instance's own port."""
    port = fleet.members[f"{service}-{release}"].port
    assert port is not None
    return Client(f"http://{HOST}:{port}")


def command(fleet: Fleet, service: str, release: int, *request: Any, **headers: str) -> Reply:  # noqa: ANN401 (JSON)
    """Send a command until it is answered: while partitions move, an instance asks to come again."""
    replies: list[Reply] = []

    def answered() -> bool:
        replies.append(client(fleet, service, release).ask(*request, **headers))
        return replies[-1].status != 503

    until(answered, f"{service}-{release} answers")
    return replies[-1]


def add(fleet: Fleet, release: int, number: int) -> Reply:
    book = {"title": f"Book {number}", "author": "Ada Example", "tags": ["x"]}
    return command(fleet, "newbook", release, "POST", "/books", book, Idempotency_Key=f"key-{number}")


def listed(fleet: Fleet, release: int) -> Any:  # noqa: ANN401 (JSON)
    return client(fleet, "booklist", release).ask("GET", "/books").json


def finished_at(fleet: Fleet, release: int) -> set[str]:
    return {book["id"] for book in listed(fleet, release) if book["state"] == "finished"}


def test_instances_of_both_releases_carry_out_each_others_commands_and_show_the_same(fleet: Fleet) -> None:
    assert client(fleet, "readbook", FORMER).ask("POST", "/books/x/readings", {}).problem == "no-route"
    books = [add(fleet, FORMER, number).json["id"] for number in range(BOOKS)]
    for book in books[::2]:
        done = command(fleet, "readbook", FORMER, "POST", f"/books/{book}/finished", {"rating": 4})
        assert done.status == 204
    for member in [fleet.launch(service, PRESENT) for service in SERVICES]:
        member.ready()
    for release in (FORMER, PRESENT):  # each instance owns some partitions, and forwards the other commands
        again = [add(fleet, release, number) for number in range(BOOKS)]
        assert [(one.status, one.json["id"]) for one in again] == [(201, book) for book in books]
        assert {one.headers["idempotency-replayed"] for one in again} == {"true"}
        books_of_it = [add(fleet, release, 100 * release + number) for number in range(BOOKS)]
        assert {one.status for one in books_of_it} == {201}
        for book in books[release - 1 :: 2]:
            changed = command(
                fleet, "newbook", release, "PATCH", f"/books/{book}", {"notes": f"by {release}"}
            )
            assert (changed.status, changed.json["notes"]) == (200, f"by {release}")
            finished = command(fleet, "readbook", release, "POST", f"/books/{book}/finished", {"rating": 4})
            assert finished.status == 204
    for release in (FORMER, PRESENT):
        until(lambda: finished_at(fleet, release) == set(books), "both releases show what was finished")  # noqa: B023 (at once)
    until(lambda: listed(fleet, FORMER) == listed(fleet, PRESENT), "both releases list the same")
    found = {book["id"]: book for book in listed(fleet, FORMER)}
    assert len(found) == 3 * BOOKS
    assert [(found[book]["state"], found[book]["rating"]) for book in books] == [("finished", 4)] * BOOKS
    upgraded(fleet, books)


def upgraded(fleet: Fleet, books: list[str]) -> None:
    """Use new commands once all aggregates are upgraded; a view of the former release skips their events."""
    for service in ("newbook", "readbook"):
        fleet.retire(f"{service}-{FORMER}")
    started = command(
        fleet, "readbook", PRESENT, "POST", f"/books/{books[0]}/readings", {"started": "2026-01"}
    )
    assert (started.status, started.json["number"]) == (201, 2)
    more = {"title": "New", "contributors": [{"name": "B", "role": "editor"}], "series": [{"name": "S"}]}
    new = command(fleet, "newbook", PRESENT, "POST", "/books", more)
    assert new.status == 201
    for release in (FORMER, PRESENT):
        until(lambda: len(listed(fleet, release)) == 3 * BOOKS + 1, "both have the new book")  # noqa: B023 (at once)
    former = client(fleet, "booklist", FORMER).ask("GET", f"/books/{new.json['id']}").json
    assert (former["title"], former["author"]) == ("New", "B")
    at = f"/books/{books[0]}"
    present = client(fleet, "booklist", PRESENT)
    until(lambda: present.ask("GET", at).json["state"] == "reading", "the new reading is shown")
    assert client(fleet, "booklist", FORMER).ask("GET", f"/books/{books[0]}").json["state"] == "finished"
    again = [add(fleet, PRESENT, number).headers["idempotency-replayed"] for number in range(BOOKS)]
    assert again == ["true"] * BOOKS
