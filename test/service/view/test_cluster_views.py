"""The view of domains gives the same answers on every storage, and they are what has happened."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from support.process import ROOT
from support.views import Views, caught_up

from bookshelf.cluster.events import TOPIC
from bookshelf.cluster.rollout_answers import ListedMember, ListedRollout, RevisionItem, RolloutDetails
from bookshelf.cluster.rollout_queries import QUERIES
from bookshelf.cluster.rollout_views import VIEW
from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.cqrs.errors import Refused
from bookshelf.http.message import request
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import NewRecord, partition_of
from bookshelf.runtime.api.queries import Viewer, read_parameters
from bookshelf.runtime.decoding import decoder_of
from bookshelf.runtime.view.host import ViewHost
from bookshelf.storage.port import Storage
from bookshelf.storage.sqlite import MemoryStorage

PARTITIONS = 2
LINES = (ROOT / "test/fixtures/golden/cluster.jsonl").read_bytes().splitlines()
ROUTES = {route.path: route for route in QUERIES}
ASKED = (
    ("/cluster/members", "", {}),
    ("/cluster/members", "domain=green", {}),
    ("/cluster/rollouts", "", {}),
    ("/cluster/rollouts", "limit=1&domain=blue", {}),
    *(("/cluster/rollouts/{id}", "", {"id": f"r-000{number}"}) for number in range(1, 6)),
    *(("/cluster/revisions/{revision}", "domain=blue", {"revision": str(number)}) for number in range(3)),
)


@asynccontextmanager
async def host_of(storage: Storage) -> AsyncIterator[ViewHost]:
    log = MemoryLog(PARTITIONS)
    for line in LINES:
        key = decode_envelope(line).subject
        writer = await log.writer("tests", TOPIC, partition_of(key, PARTITIONS))
        await writer.append([NewRecord(key, line)])
    async with Views(log, storage) as views:
        host = await views.host(VIEW)
        await caught_up(host, log)
        yield host


async def answer(host: ViewHost, path: str, query: str, values: dict[str, str]) -> Any:  # noqa: ANN401 (of any query)
    route = ROUTES[path]
    asked = request("GET", f"/x?{query}", b"")
    params = read_parameters(decoder_of(route.params), asked, values, Viewer())
    try:
        found = await host.query(lambda db: route.query(db, params))
    except Refused as refused:
        return refused.detail
    return msgspec.json.encode(found.body), found.after


async def test_every_question_has_the_same_answer_on_every_storage(storage: Storage) -> None:
    memory = MemoryStorage()
    async with host_of(memory) as expected, host_of(storage) as found:
        for asked in ASKED:
            assert await answer(found, *asked) == await answer(expected, *asked), asked
    await memory.close()


@pytest.fixture
async def view() -> AsyncIterator[ViewHost]:
    memory = MemoryStorage()
    async with host_of(memory) as host:
        yield host
    await memory.close()


async def body(host: ViewHost, kind: Any, path: str, query: str = "", **values: str) -> Any:  # noqa: ANN401 (a type, and its value)
    return msgspec.json.decode((await answer(host, path, query, values))[0], type=kind)


async def test_members_are_present_or_have_left_for_a_reason(view: ViewHost) -> None:
    members = {one.node: one for one in await body(view, list[ListedMember], "/cluster/members")}
    assert {node: one.left for node, one in members.items()} == {
        "node1": "left",
        "node2": "",
        "node3": "absent",
    }
    assert (members["node2"].epoch, members["node2"].version, members["node2"].revision) == (4, "0.2.0", 1)
    assert members["node2"].services == ["newbook", "lists"]


async def test_rollouts_are_listed_with_their_results_the_newest_first(view: ViewHost) -> None:
    listed = await body(view, list[ListedRollout], "/cluster/rollouts")
    _, after = await answer(view, "/cluster/rollouts", "limit=3", {})
    rest = await body(view, list[ListedRollout], "/cluster/rollouts", f"limit=3&after={after}")
    assert [(one.id, one.result, one.node) for one in listed] == [
        ("r-0004", "", ""),
        ("r-0003", "rolled-back", ""),
        ("r-0002", "aborted", "node2"),
        ("r-0001", "committed", ""),
    ]
    assert rest == listed[3:]
    assert (listed[0].phase, listed[0].deadline is None, listed[0].members) == ("load", False, ["node2"])
    assert [(one.result, one.revision) for one in listed[1:3]] == [("rolled-back", 1), ("aborted", 1)]
    assert (listed[3].revision, listed[3].changes, listed[3].deadline) == (1, 2, None)


async def test_a_rollout_has_every_event_of_it_in_order(view: ViewHost) -> None:
    shown: RolloutDetails = await body(view, RolloutDetails, "/cluster/rollouts/{id}", id="r-0003")
    kinds = [step.type for step in shown.steps if step.type != "vote-recorded"]
    assert kinds == [
        "rollout-opened",
        "phase-requested",
        "phase-requested",
        "rollout-prepared",
        "commit-requested",
        "phase-requested",
        "phase-requested",
        "rollout-rolled-back",
    ]
    refused = [
        (step.node, step.phase, step.reason) for step in shown.steps if step.node and not step.accepted
    ]
    assert refused == [("node3", "deploy", "the child did not start")]
    assert [(one.kind, one.name, one.action) for one in shown.changes] == [("policy", "newbook", "remove")]


async def test_a_revision_has_its_items_with_their_contents(view: ViewHost) -> None:
    items = await body(view, list[RevisionItem], "/cluster/revisions/{revision}", revision="1")
    none = await body(view, list[RevisionItem], "/cluster/revisions/{revision}", revision="2")
    assert [(one.kind, one.name, one.content) for one in items] == [
        ("policy", "newbook", "deadline_s = 2\n"),
        ("settings", "", 'log_level = "debug"\n'),
    ]
    assert none == []
