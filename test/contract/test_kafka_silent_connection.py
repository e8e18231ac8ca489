"""A connection that has died in silence, as behind a firewall that forgot it: another one is opened."""

import asyncio
from collections.abc import Iterator
from contextlib import closing

import pytest
from contract.log_contract import PARTITIONS, TOPIC, records
from support.kafka_log import kafka_log
from support.kafka_proxy import BackgroundLoop
from support.proxied_kafka import ProxiedBroker, proxied_brokers

from bookshelf.log.port import Consumed, LogFault

pytestmark = pytest.mark.needs("kafka")
LIST_OFFSETS, OFFSET_FETCH = 2, 9


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedBroker]:
    with (
        closing(BackgroundLoop()) as loop,
        proxied_brokers(tmp_path_factory.mktemp("kafka"), loop) as [one],
    ):
        one.broker.start()
        yield one


@pytest.mark.parametrize("kind", [LIST_OFFSETS, OFFSET_FETCH], ids=["end", "consumed"])
@pytest.mark.parametrize("patience_s", [0.5, 60.0], ids=["the caller gives up", "its time is over"])
async def test_a_question_without_an_answer_leaves_a_log_that_answers_the_next_one(
    behind: ProxiedBroker, patience_s: float, kind: int
) -> None:
    address = f"127.0.0.1:{behind.wire.port}"
    async with kafka_log(address, TOPIC, partitions=PARTITIONS, ask_s=3.0) as log:
        writer = await log.writer("newbook", TOPIC, 0)
        await writer.append(records("a"), Consumed(TOPIC, 1, 7))
        ask = log.end(TOPIC, 0) if kind == LIST_OFFSETS else log.consumed("newbook", TOPIC, 1)
        behind.wire.mute(kind)
        with pytest.raises((LogFault, TimeoutError)):
            async with asyncio.timeout(patience_s):
                await ask
        behind.wire.let_pass()  # the connections that were mute stay so
        assert await log.end(TOPIC, 0) > 0
        assert await log.consumed("newbook", TOPIC, 1) == 7
