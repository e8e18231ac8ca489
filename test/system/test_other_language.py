"""A service in another language takes part by topic and registration alone: it is written for Node."""

import asyncio
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest
from support import node_files
from support.client import Client
from support.consul import Agent
from support.fixed_infrastructure import NOW
from support.instance import Instance, names_of_its_own
from support.kafka import Broker, free_ports
from support.kafka_log import kafka_log
from support.process import ROOT, Process
from support.until import until

from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.log.port import NewRecord, partition_of
from bookshelf.shop.events import TOPIC
from bookshelf.shop.money import Money
from bookshelf.shop.order_events import OrderFinalized, Terms
from bookshelf.shop.values import BoughtLine

pytestmark = pytest.mark.needs("kafka", "consul", "node")

PRICE = Money(2000, "EUR")
PARTITIONS = 2


@pytest.fixture(scope="module")
def agent(consul_agent: Agent) -> Iterator[Agent]:
    yield consul_agent
    consul_agent.clear()


@pytest.fixture(scope="module")
def places(kafka_broker: Broker, agent: Agent) -> Mapping[str, str]:
    """Where the broker and the agent are, and the names of this test's topics."""
    broker = {"BOOKSHELF_BROKER": kafka_broker.address, "BOOKSHELF_ACCOUNTS": "off"}
    return {**broker, "BOOKSHELF_CONSUL": f"127.0.0.1:{agent.ports.http}", **names_of_its_own()}


@contextmanager
def gifts(places: Mapping[str, str]) -> Iterator[None]:
    """Run the service until the block ends."""
    named = ("BOOKSHELF_BROKER", "BOOKSHELF_KAFKA_PREFIX", "BOOKSHELF_CONSUL")
    script = ROOT / "test" / "support" / "gifts.cjs"
    command: list[str | Path] = ["node", script, node_files.client(), *(places[name] for name in named)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            yield
            assert process.poll() is None
        finally:
            process.kill()


async def finalize(places: Mapping[str, str], order: str, customer: str) -> None:
    """Append that an order is final, as the service of orders does."""
    line = BoughtLine(product="p-1", quantity=1, name="Dune", price=PRICE, vat_permille=70)
    event = OrderFinalized(terms=Terms(customer=customer), lines=(line,), total=PRICE, at=NOW)
    envelope = Envelope(
        specversion="1.0",
        id=f"final-{order}",
        source="order",
        type=event.TYPE,
        subject=order,
        time=NOW,
        datacontenttype="application/json",
        data=msgspec.Raw(msgspec.json.encode(event)),
        actor=customer,
    )
    address, prefix = places["BOOKSHELF_BROKER"], places["BOOKSHELF_KAFKA_PREFIX"]
    async with kafka_log(address, TOPIC, prefix=prefix, partitions=PARTITIONS) as log:
        writer = await log.writer(f"orders-{order}", TOPIC, partition_of(order, PARTITIONS))
        await writer.append([NewRecord(order, encode_envelope(envelope))])
        await writer.close()


def balance(customers: Client, customer: str) -> int:
    answer = customers.ask("GET", f"/shop/customers/{customer}/credit")
    return int(answer.json["balance"]["amount"]) if answer.status == 200 else 0


def test_a_service_for_node_reads_the_topic_and_sends_commands(
    places: Mapping[str, str], tmp_path: Path
) -> None:
    [port] = free_ports(1)
    gate = {**places, "BOOKSHELF_PORT": str(port)}
    with Instance("customers", tmp_path, env=places).ready() as customers, gifts(places):
        with Process("run", "gateway", "--data", tmp_path / "gateway", env=gate):
            asyncio.run(finalize(places, "o-1", "a-1"))
            until(lambda: balance(customers.client, "a-1") == 100, "the gift has come")
            outside = Client(f"http://127.0.0.1:{port}", "/bookshelf")
            until(lambda: answered(outside) == {"a-1": 100}, "the gateway knows the service")
        asyncio.run(finalize(places, "o-2", "a-1"))
        until(lambda: balance(customers.client, "a-1") == 200, "so has the second")
        with gifts(places):  # another one, which reads everything again
            asyncio.run(finalize(places, "o-3", "a-2"))
            until(lambda: balance(customers.client, "a-2") == 100, "it reads what is new")
            assert balance(customers.client, "a-1") == 200
        assert customers.stop().well


def answered(outside: Client) -> object:
    try:
        answer = outside.ask("GET", "/gifts")
    except OSError:  # it starts
        return None
    return answer.json if answer.status == 200 else None
