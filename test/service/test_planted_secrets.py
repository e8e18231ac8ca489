"""Planted secrets: session ids, cookies and tokens are in no event, in no row and in no message of a log.

The values of sessions are in the events that keep them, and in no row and no message.
"""

from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.domain_nodes import TestedDomain
from support.session_nodes import HEADER, SESSIONS, cluster, node
from support.shelf import Shelf

from bookshelf.cluster.items import check_settings
from bookshelf.cluster.session_events import TOPIC
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import Log
from bookshelf.storage.sqlite import SqliteStorage

VALUE, INVENTED, TOKEN = "pl4nted-value", "pl4nted-session-id", "pl4nted-token"


async def written(log: Log, *topics: str) -> bytes:
    """Return all keys and values of these topics."""
    found = b""
    for topic in topics:
        for partition in range(log.partitions(topic)):
            end = await log.end(topic, partition)
            tail = await log.tail(topic, partition, 0)
            while tail.position < end:
                found += b"".join(one.key.encode() + one.value for one in await tail.take(1000))
            await tail.close()
    return found


def found_in(secrets: Iterable[str], text: str | bytes) -> list[str]:
    content = text if isinstance(text, bytes) else text.encode()
    return [secret for secret in secrets if secret.encode() in content]


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with cluster() as shelf:
        yield shelf


async def test_session_ids_and_values_are_in_no_message_of_a_log(shelf: Shelf) -> None:
    with capture_logs() as lines:
        async with node(shelf, 1) as first, node(shelf, 2) as second:
            answer = await first.send("PUT", "value", {"value": VALUE}, session=INVENTED)
            session = answer.headers[HEADER]
            cookie = f"__Host-bookshelf-client={INVENTED}; bookshelf-client={INVENTED}"
            await second.send("GET", "value", session=session)
            await second.send("GET", "value", Cookie=cookie)
            await second.send("PUT", "value", {"value": VALUE * 5000}, session=session)
            await second.send("PUT", "value", {VALUE: VALUE}, session=session)
            await second.send("POST", "both", session=session)
    assert lines
    assert found_in([VALUE, INVENTED, session], str(lines)) == []
    assert found_in([VALUE], await written(shelf.log, TOPIC)) == [VALUE]  # the check finds what is there


async def test_session_ids_are_in_no_event_and_values_in_no_row(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "views")
    log = MemoryLog()
    async with Shelf(log, storage, services=SESSIONS) as shelf, node(shelf, 1) as first:
        answer = await first.send("PUT", "value", {"value": VALUE}, session=INVENTED)
        session, position = answer.headers[HEADER], answer.headers["Bookshelf-Position"]
        await shelf.send("GET", "/cluster/sessions", Bookshelf_After=position)
        assert found_in([session, INVENTED], await written(log, TOPIC)) == []
    rows = b"".join(file.read_bytes() for file in sorted(tmp_path.rglob("*")) if file.is_file())
    assert b"stateful" in rows  # the name of the service is in its row
    assert found_in([session, INVENTED, VALUE], rows) == []


async def test_what_an_administrator_is_known_by_is_in_no_event_and_no_message() -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Cookie": f"session={TOKEN}"}
    with capture_logs() as lines:
        async with TestedDomain() as domain:
            committed = await domain.propose(commit=True)
            assert committed.status == 200
            change = {"kind": "settings", "content": "log_level = 'error'\n"}
            made = await domain.send("POST", "/cluster/rollouts", {"changes": [change]}, **headers)
            rollout = made.json["rollout"]
            for path, body in (
                (f"/cluster/rollouts/{rollout}/rollback", {}),
                ("/cluster/rollouts", {"changes": [{"kind": TOKEN}]}),
                ("/cluster/rollouts/none/commit", {"changes": 1}),
            ):
                await domain.send("POST", path, body, **headers)
            events = await written(domain.shelf.log, "cluster")
    assert b"rollout-aborted" in events
    assert found_in([TOKEN], events + str(lines).encode()) == []


@pytest.mark.parametrize("setting", ["consul_token", "storage", "accounts_secret_file", "no_setting"])
def test_a_refused_setting_is_named_without_its_value(setting: str) -> None:
    problems = check_settings(f"{setting} = '{TOKEN}'\n")
    assert setting in str(problems)
    assert found_in([TOKEN], str(problems)) == []
