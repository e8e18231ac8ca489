"""A hundred customers want one unit of a shop on Kafka, while its services are killed at random."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import product as product_of
from pathlib import Path
from random import Random
from typing import Any

import pytest
from support.consul import Agent
from support.instance import Instance, names_of_its_own
from support.kafka import Broker
from support.kafka_log import kafka_log, settings
from support.postgres import Server
from support.process import bookshelf
from support.shop_folder import PRICE, product, rush
from support.until import until

from bookshelf.cli.instance import ORDERS_S
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import Topic
from bookshelf.log.port import NewRecord, partition_of
from bookshelf.shop.events import TOPIC

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.needs("kafka", "consul", "postgres")]

SERVICES = ("products", "customers", "orders", "payments", "accounting")
CUSTOMERS, PARTITIONS = 100, 2
ROUNDS = int(os.environ.get("BOOKSHELF_CHAOS_ROUNDS", "3"))
RANDOM = Random(os.environ.get("BOOKSHELF_CHAOS_SEED", "20240229"))  # noqa: S311 (no secrets)


@pytest.fixture
def agent(consul_agent: Agent) -> Iterator[Agent]:
    yield consul_agent
    consul_agent.clear()


@pytest.fixture
async def storage(postgres_server: Server) -> AsyncIterator[str]:
    """The address of a database for the rows and the keyring of all services."""
    async with postgres_server.database() as name:
        yield postgres_server.url(name)


async def send(places: Mapping[str, str], messages: list[NewRecord]) -> None:
    """Send commands by topic, as a foreign client does."""
    topics = sorted({message.topic for message in messages})
    chosen = settings(
        places["BOOKSHELF_BROKER"], prefix=places["BOOKSHELF_KAFKA_PREFIX"], partitions=PARTITIONS
    )
    log = await KafkaLog.open(chosen, [Topic(topic, ORDERS_S) for topic in topics])
    try:
        for topic, partition in product_of(topics, range(PARTITIONS)):
            writer = await log.writer("tests", topic, partition)
            await writer.append(
                [
                    message
                    for message in messages
                    if (message.topic, partition_of(message.key, PARTITIONS)) == (topic, partition)
                ]
            )
            await writer.close()
    finally:
        await log.close()


async def size(places: Mapping[str, str]) -> int:
    prefix = places["BOOKSHELF_KAFKA_PREFIX"]
    async with kafka_log(places["BOOKSHELF_BROKER"], TOPIC, prefix=prefix, partitions=PARTITIONS) as log:
        return sum([await log.end(TOPIC, number) for number in range(PARTITIONS)])


def has_grown(places: Mapping[str, str], wanted: int) -> bool:
    return asyncio.run(size(places)) >= wanted


def checked(places: Mapping[str, str]) -> dict[int, Any] | None:
    """Return what each law counts, once every law holds and everything is at rest."""
    broker = places["BOOKSHELF_BROKER"]
    done = bookshelf("shop", "check", "--broker", broker, "--at-rest", "--json", env=places)
    if done.code != 0:
        return None
    return {law["law"]: law["log"] for law in json.loads(done.out)["laws"]}


def test_one_of_a_hundred_customers_gets_the_last_unit_whatever_is_killed(
    kafka_broker: Broker, agent: Agent, storage: str, tmp_path: Path
) -> None:
    places = {
        "BOOKSHELF_BROKER": kafka_broker.address,
        "BOOKSHELF_CONSUL": f"127.0.0.1:{agent.ports.http}",
        "BOOKSHELF_ACCOUNTS": "off",
        "BOOKSHELF_ACCOUNTS_SECRET_FILE": str(tmp_path / "accounts.secret"),
        "BOOKSHELF_STORAGE": storage,
        **names_of_its_own(),
    }
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(Instance(name, tmp_path, env=places)).ready() for name in SERVICES
        }
        wishes = rush(CUSTOMERS, "p-1")
        openings, orders = wishes[:CUSTOMERS], wishes[CUSTOMERS:]
        asyncio.run(send(places, [product("p-1", 1), *openings]))
        for number in range(ROUNDS):
            begun = asyncio.run(size(places))
            asyncio.run(send(places, orders[number::ROUNDS]))
            # each of these orders leads to five records at least
            wanted = begun + RANDOM.randint(1, 3 * CUSTOMERS // ROUNDS)
            until(partial(has_grown, places, wanted), "it goes on")
            name = RANDOM.choice(SERVICES)
            running[name].kill()
            running[name] = stack.enter_context(Instance(name, tmp_path, env=places)).ready()
        until(lambda: (checked(places) or {}).get(6, {}).get("orders") == CUSTOMERS, "all is at rest", 180)
        laws = checked(places)
        assert laws is not None
        assert laws[6] == {"orders": CUSTOMERS, "final": 1, "canceled": CUSTOMERS - 1, "open": 0}
        assert laws[3]["balance"] == CUSTOMERS * 10_000 - PRICE.amount
        assert laws[4] == {"final": 1, "invoices": 1}
        assert all(one.stop().well for one in running.values())
