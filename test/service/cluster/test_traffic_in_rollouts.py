"""Clients of a running shelf while rollouts pause its gateway and all services: every request is answered."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.client import Client

from bookshelf.cli.embedded import Embedded, embedded
from bookshelf.config import read
from bookshelf.services import SERVICES

NAMES = {"newbook", "readbook", "booklist", "lastreadbooks", "readings", "lists", "stats", "site", "rollouts"}
#: More than a busy machine can take, so that nothing ends by its time limit.
PATIENCE = {"BOOKSHELF_GATEWAY_QUEUE_S": "60", "BOOKSHELF_CLUSTER_NOTIFICATION_WAIT_MS": "60000"}
CHANGES = [
    {"kind": "settings", "content": "gateway_compress = true\n"},
    {"kind": "gateway", "content": '[[forbid]]\npath = "/nothing"\n'},
    {"kind": "settings", "content": ""},
]


@pytest.fixture
async def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Embedded]:
    monkeypatch.setenv("BOOKSHELF_CLUSTER_DOMAIN", "blue")
    for name, value in PATIENCE.items():
        monkeypatch.setenv(name, value)
    settings = read({}, data=str(tmp_path / "data"), port=0, service_ports="auto")
    async with embedded(settings, [s for s in SERVICES if s.name in NAMES]) as running:
        yield running


async def test_no_request_fails_while_settings_and_rules_change(shelf: Embedded) -> None:
    books, pages = Client(shelf.url, "/bookshelf"), Client(shelf.url)
    statuses, ended = Counter[tuple[str, int]](), asyncio.Event()

    async def go_on(name: str, method: str, client: Client, path: str, body: object) -> None:
        while not ended.is_set():
            reply = await asyncio.to_thread(client.ask, method, path, body)
            statuses[name, reply.status] += 1

    book = {"title": "Dune", "author": "Frank Herbert", "published": "1965"}
    async with asyncio.TaskGroup() as clients:
        # a page asks the gateway in its turn, for what it shows
        clients.create_task(go_on("page", "GET", pages, "/", None))
        clients.create_task(go_on("book", "POST", books, "/books", book))
        for change in CHANGES:
            proposal = {"changes": [change], "commit": True, "wait": 60}
            reply = await asyncio.to_thread(books.post, "/cluster/rollouts", proposal)
            assert (reply.status, reply.json["state"]) == (200, "committed"), reply.json
        ended.set()
    assert statuses.keys() == {("page", 200), ("book", 201)}, statuses
