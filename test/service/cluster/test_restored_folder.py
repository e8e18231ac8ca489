"""A domain in one data folder that is set back to a backup: revision, policy, sessions, and higher tokens."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.fixed_infrastructure import NOW
from support.primary_context import Counters
from support.shelf import Answered
from support.stateful import STATEFUL
from support.until import eventually

from bookshelf.cli.embedded import Embedded, embedded
from bookshelf.cluster.services import CLUSTER_SERVICES
from bookshelf.config import read
from bookshelf.http.message import request
from bookshelf.runtime.backup import restore_backup, write_backup
from bookshelf.services import SERVICES

LOCK = "blue.primary.counters"
SESSION = "Bookshelf-Client-Session"


class OneProcess:
    """The services of a domain and the gateway, in this process."""

    def __init__(self, shelf: Embedded) -> None:
        self._shelf = shelf

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> Answered:
        content = b"" if body is None else msgspec.json.encode(body)
        if content:
            headers["Content_Type"] = "application/json"
        return Answered(
            await self._shelf.gateway.handle(request(method, f"/bookshelf{path}", content, **headers))
        )

    async def set_policy(self, state: str) -> int:
        """Change the policy of newbook; return the revision."""
        change = {"kind": "policy", "name": "newbook", "content": f'state = "{state}"\n'}
        answer = await self.send("POST", "/cluster/rollouts", {"changes": [change], "commit": True})
        assert (answer.status, answer.json["state"]) == (200, "committed")
        return int(answer.json["revision"])

    async def add(self) -> int:
        book = {"title": "Dune", "author": "Frank Herbert"}
        return (await self.send("POST", "/books", book)).status

    async def count(self) -> tuple[int, int]:
        """Add one to the counter; return its value, and the token of the primary."""
        answers: list[Answered] = []

        async def is_counted() -> bool:
            answers[:] = [await self.send("POST", "/counters/all/more", {})]
            return answers[0].status == 200

        await eventually(is_counted, "there is a primary")
        held = (await self.send("GET", "/cluster/locks", Bookshelf_After="end")).json
        [token] = [lock["token"] for lock in held if lock["name"] == LOCK]
        return answers[0].json, token


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[OneProcess]:
    settings = read({}, data=str(data), port=0, service_ports="auto")
    services = [one for one in SERVICES if one.name in {"newbook", "booklist"}]
    services += [one for one in CLUSTER_SERVICES if one.name != "console"]
    async with asyncio.timeout(120), embedded(settings, [*services, Counters().service, STATEFUL]) as shelf:
        yield OneProcess(shelf)


async def test_a_domain_that_is_set_back_to_a_backup_has_what_that_has_and_higher_tokens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOKSHELF_CLUSTER_DOMAIN", "blue")
    data = tmp_path / "data"
    async with running(data) as first:
        revision = await first.set_policy("open")
        assert (await first.send("PUT", "/stateful/value", {"value": "kept"})).status == 204
        answer = await first.send("PUT", "/stateful/value", {"value": "kept"})
        session: Any = {"Bookshelf_Client_Session": answer.headers[SESSION]}
        assert (await first.count())[0] == 1
        backup, _ = write_backup(data, tmp_path / "backups", NOW)
    async with running(data) as later:
        assert await later.set_policy("closed") == revision + 1
        assert await later.add() == 503
        changed = await later.send("PUT", "/stateful/value", {"value": "lost"}, **session)
        assert changed.status == 204
        value, last = await later.count()
        assert value == 2
    restore_backup(backup, data, NOW, replace=True)
    async with running(data) as restored:
        status = (await restored.send("GET", "/cluster/status", Bookshelf_After="end")).json
        assert status["revision"] == revision
        assert await restored.add() == 201
        after = changed.headers["Bookshelf-Position"]
        found = await restored.send("GET", "/stateful/value", Bookshelf_After=after, **session)
        assert (found.status, found.json) == (200, {"value": "kept"})
        value, token = await restored.count()
        assert value == 2
        assert token > last
        assert await restored.set_policy("closed") == revision + 1
