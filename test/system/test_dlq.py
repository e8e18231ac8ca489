"""`bookshelf dlq`: dead letters are listed, retried and dropped by an operator."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.client import Client
from support.logfile import append, event
from support.process import bookshelf
from support.program import Program

from bookshelf.services import SERVICES
from bookshelf.shelf.events import TOPIC

VIEWS = {view.name for service in SERVICES for view in service.views if view.topic == TOPIC}
LETTERS = 3 * len(VIEWS)


class Poisoned(NamedTuple):
    """A stopped shelf: which of its books has records that cannot be read, and where those are."""

    data: Path
    book: dict[str, Any]
    other: dict[str, Any]
    misfit: str
    noise: str
    good: str


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Poisoned:
    """Two books; of the one, two records that cannot be applied, then one that could be."""
    data = tmp_path_factory.mktemp("poisoned") / "data"
    with Program(data).ready() as up:
        book, other = up.client.add("Kim"), up.client.add("Emma")
        assert up.stop().well
    key = book["id"]
    return Poisoned(
        data,
        book,
        other,
        misfit=append(data, key, event("shelf.book-added.v1", key, {"author": "no title"})),
        noise=append(data, key, b"\xff not JSON at all"),
        good=append(data, key, event("shelf.book-finished.v1", key, {"rating": 4})),
    )


@pytest.fixture
def shelf(poisoned: Poisoned, tmp_path: Path) -> Poisoned:
    """A copy of that shelf."""
    return poisoned._replace(data=Path(shutil.copytree(poisoned.data, tmp_path / "data")))


@pytest.fixture
def met_running(shelf: Poisoned) -> Iterator[Poisoned]:
    """The same, running while the operator works."""
    with Program(shelf.data).ready() as up:
        yield shelf
        assert up.stop().well


@pytest.fixture(params=["met_running", pytest.param("shelf", marks=pytest.mark.slow)])
def met(request: pytest.FixtureRequest) -> Poisoned:
    """The same, running or not while the operator works."""
    found: Poisoned = request.getfixturevalue(request.param)
    return found


def dlq(shelf: Poisoned, *args: str) -> str:
    return bookshelf("dlq", *args, "--data", shelf.data).well


def dead_letters(shelf: Poisoned) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the dead letters by view and position."""
    found = json.loads(dlq(shelf, "list", "--json"))
    return {(dead_letter["view"], dead_letter["position"]): dead_letter for dead_letter in found}


def positions(shelf: Poisoned) -> set[str]:
    return {position for _, position in dead_letters(shelf)}


def test_dead_letters_are_listed_with_their_reason(met: Poisoned) -> None:
    found = dead_letters(met)
    assert found.keys() == {(view, place) for view in VIEWS for place in (met.misfit, met.noise, met.good)}
    for view in VIEWS:
        assert "title" in found[view, met.misfit]["reason"]
        assert not found[view, met.misfit]["behind"]
        assert found[view, met.noise]["behind"]
        assert found[view, met.good]["behind"]
        assert found[view, met.misfit]["key"] == met.book["id"]
        assert "no title" in found[view, met.misfit]["value"]
    said = dlq(met, "list")
    assert said.count(met.misfit) == len(VIEWS)
    assert said.endswith(f"{LETTERS} dead letters.\n")


def test_other_records_are_applied(shelf: Poisoned) -> None:
    with Program(shelf.data).ready() as up:
        client = up.client
        assert client.every_book() == [shelf.book, shelf.other]
        assert client.get("/health/ready").status == 404
        assert Client(up.note.url).get("/health/ready").status == 200
        assert client.patch(f"/books/{shelf.other['id']}", {"pages": 7}).status == 200
        assert client.post(f"/books/{shelf.other['id']}/finished").status == 204
        assert client.get("/books/last/read").json[0]["pages"] == 7
        held = client.post(f"/books/{shelf.book['id']}/finished")
        assert (held.status, held.problem) == (409, "held-back")
        assert client.patch(f"/books/{shelf.book['id']}", {"pages": 7}).problem == "held-back"
        assert client.get(f"/books/{shelf.book['id']}").json == shelf.book
        assert up.stop().well


def test_held_back_records_are_applied_after_the_dead_letter_is_dropped(met: Poisoned) -> None:
    assert dlq(met, "drop", met.misfit).startswith(f"{met.misfit} is given up")
    found = dead_letters(met)
    assert found.keys() == {(view, place) for view in VIEWS for place in (met.noise, met.good)}
    assert not found["booklist", met.noise]["behind"]
    assert "envelope" in found["booklist", met.noise]["reason"]
    assert dlq(met, "drop", met.noise).startswith(f"{met.noise} is given up")
    assert dead_letters(met) == {}
    assert dlq(met, "list") == "0 dead letters.\n"
    assert "finished" in bookshelf("export", "--data", met.data).well


def test_a_held_back_record_is_not_dropped_before_its_dead_letter(met: Poisoned) -> None:
    before = dead_letters(met)
    refused = bookshelf("dlq", "drop", met.good, "--data", met.data).complaint
    assert "drop or retry that one first" in refused
    assert dead_letters(met) == before


def test_held_back_records_are_applied_in_every_view(shelf: Poisoned) -> None:
    with Program(shelf.data).ready() as up:
        for position in (shelf.misfit, shelf.noise):
            dlq(shelf, "drop", position)
        (read,) = up.client.get("/books/last/read").json
        assert (read["id"], read["rating"]) == (shelf.book["id"], 4)
        assert up.client.get(f"/books/{shelf.book['id']}").json == read
        assert len(up.client.get(f"/books/{shelf.book['id']}/history").json) == 2
        assert up.stop().well


def test_a_drop_survives_a_kill(shelf: Poisoned) -> None:
    with Program(shelf.data).ready() as up:
        dlq(shelf, "drop", shelf.misfit)
        up.kill()
    assert positions(shelf) == {shelf.noise, shelf.good}


def test_a_dropped_record_stays_dropped_for_owners_and_rebuilt_views(shelf: Poisoned) -> None:
    with Program(shelf.data).ready() as up:
        book = f"/books/{shelf.book['id']}"
        dlq(shelf, "drop", shelf.misfit)
        assert up.client.patch(book, {"pages": 7}).problem == "held-back"  # by the other one
        dlq(shelf, "drop", shelf.noise)
        changed = up.client.patch(book, {"pages": 7}).json
        assert (changed["pages"], changed["rating"]) == (7, 4)
        bookshelf("views", "rebuild", "booklist", "--data", shelf.data)
        assert dead_letters(shelf) == {}
        assert up.client.get(book).json == changed
        assert up.stop().well


def test_retry_keeps_records_that_still_fail(met_running: Poisoned) -> None:
    before = dead_letters(met_running)
    assert dlq(met_running, "retry") == f"0 applied, {LETTERS} left.\n"
    assert (
        dlq(met_running, "retry", "--view", "booklist", "--key", "another") == f"0 applied, {LETTERS} left.\n"
    )
    assert dead_letters(met_running) == before


def test_a_missing_dead_letter_is_reported(met_running: Poisoned) -> None:
    for args, said in (
        (("drop", "bookshelf/0@999"), "bookshelf/0@999"),
        (("drop", "here"), "here"),
        (("drop", "other/0@2"), "other/0@2"),
        (("retry", "--view", "none"), "booklist"),
    ):
        assert said in bookshelf("dlq", *args, "--data", met_running.data).complaint
    assert len(dead_letters(met_running)) == LETTERS
