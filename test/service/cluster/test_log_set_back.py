"""A log of a domain that is set back to a copy while its nodes run: they begin anew by the copy."""

from functools import partial

import pytest
from support.domain_nodes import ROLLOUTS, SETTING, TestedDomain, TestedNode
from support.shelf import Shelf
from support.until import eventually

from bookshelf.cluster.events import TOPIC
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import NewRecord, partition_of

NEW = "log_level = 'warning'\n"


async def copied(log: MemoryLog) -> MemoryLog:
    """Return a log with the same records."""
    copy = MemoryLog(log.partitions(TOPIC))
    for partition in range(log.partitions(TOPIC)):
        writer = await copy.writer("copy", TOPIC, partition)
        tail = await log.tail(TOPIC, partition, 0)
        while tail.position < await log.end(TOPIC, partition):
            await writer.append([NewRecord(r.key, r.value) for r in await tail.take(100)])
    return copy


@pytest.mark.parametrize("extended", [False, True], ids=["shorter", "extended"])
async def test_running_nodes_join_anew_with_the_revision_of_the_copy(*, extended: bool) -> None:
    async with TestedDomain() as domain:
        assert isinstance(domain.shelf.log, MemoryLog)
        assert (await domain.propose(commit=True)).json["revision"] == 1
        await domain.until_all_serve(1, SETTING["content"])
        copy = await copied(domain.shelf.log)
        assert (await domain.propose(NEW, commit=True)).json["revision"] == 2
        await domain.until_all_serve(2, NEW)
        if extended:  # by more records than the former log has
            writer = await copy.writer("another", TOPIC, partition_of("blue", 2))
            await writer.append([NewRecord("another", b"{}")] * 100)
        former, domain.shelf = domain.shelf, Shelf(copy, services=(ROLLOUTS,))
        async with domain.shelf:
            for node in domain.nodes.values():
                node.follow(domain.shelf)
            await ended(former)
            await domain.until_all_serve(1, SETTING["content"])
            for node in domain.nodes.values():
                await eventually(partial(is_member, node), f"{node.name} is a member")
                assert (await node.ask()).body == SETTING["content"].encode()
            answer = await domain.propose(NEW, commit=True)
            assert (answer.json["state"], answer.json["revision"]) == ("committed", 2)
            await domain.until_all_serve(2, NEW)
        domain.shelf = former


async def ended(shelf: Shelf) -> None:
    """Append what wakes the tails of a log."""
    writer = await shelf.log.writer("another", TOPIC, partition_of("blue", 2))
    await writer.append([NewRecord("another", b"{}")])


async def is_member(node: TestedNode) -> bool:
    return node.machine.is_member and node.agent.fault is None and node.gate.paused is None
