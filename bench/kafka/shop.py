"""Measures the orders of the shop on Kafka: each of its services is a process of its own."""

import asyncio
import os
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

from bench.figures import latencies
from bench.kafka.cluster import BenchCluster, open_cluster
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.memory import resident
from bench.server import READY_S
from bench.shop.customers import Customers
from bench.shop.ends import checked
from bench.shop.goods import add_product, fill, open_credit
from bench.shop.load import CLIENTS, PRODUCTS, RATE, Shoppers
from bookshelf.cli.instance import topics
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.runtime.data_folder import InstanceNote
from bookshelf.shop.events import TOPIC
from bookshelf.shop.welcome import LOCAL_READER

_ORDERS = 1000
_SERVICES = ("products", "customers", "orders", "payments", "accounting")
_SOLD_OUT = "p-sold-out"
_PAUSE_S = 0.05
#: Names a database.
_STORAGE = "BOOKSHELF_STORAGE"
_FACTS = {
    "what": f"one process for each of {', '.join(_SERVICES)}; without accounts, so "
    "all orders are of one customer",
    "http": f"POST /shop/orders with Prefer: wait from {CLIENTS} clients at the port of orders, for "
    f"{PRODUCTS} products, until the last answer: FINALIZED",
    "final": f"{RATE} orders a second, from the POST until the order's stream of events has FINALIZED",
    "sold out": "the same of a product that is sold out: CANCELED",
    "laws": "`bookshelf shop check --at-rest` has found every law to hold",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    orders, storage = plan.count(_ORDERS), os.environ.get(_STORAGE, "")
    if not storage:
        msg = f"{_STORAGE}: the services of the shop share a keyring; name an empty database of PostgreSQL"
        raise BenchFault(msg)
    async with open_cluster(plan, folder) as cluster:
        async with AsyncExitStack() as stack:
            await _supply(cluster)
            instances = [stack.enter_async_context(cluster.instance(name, storage)) for name in _SERVICES]
            notes = dict(zip(_SERVICES, await asyncio.gather(*instances), strict=True))
            await _reached(cluster, PRODUCTS + 2)
            figures = await _measured(notes, orders, plan.seconds)
            await _rest(cluster)
        kafka = cluster.network.kafka
        await checked("--broker", kafka.bootstrap, "--at-rest", BOOKSHELF_KAFKA_PREFIX=kafka.prefix)
    return Sample(figures, {"orders": orders, **_FACTS})


async def _measured(notes: dict[str, InstanceNote], orders: int, seconds: float) -> Figures:
    shoppers = Shoppers(Customers({}), notes["orders"].services["orders"], count())
    await shoppers.ready()
    taken_s = await shoppers.rush(orders, status="FINALIZED")
    figures: Figures = {"http": {"per_s": orders / taken_s}}
    figures["final"] = latencies(await shoppers.streams(seconds, "FINALIZED"))
    figures["final, answer"] = latencies(await shoppers.answers(seconds, "FINALIZED"))
    figures["sold out"] = latencies(await shoppers.streams(seconds, "CANCELED", product=_SOLD_OUT))
    return figures | {f"memory, {name}": resident(note.pid) for name, note in notes.items()}


async def _supply(cluster: BenchCluster) -> None:
    log = await KafkaLog.open(cluster.network.kafka, topics())
    try:
        goods = [add_product(f"p-{number}", 10**9) for number in range(PRODUCTS)]
        await fill(log, [*goods, add_product(_SOLD_OUT, 0), open_credit(LOCAL_READER)])
    finally:
        await log.close()


async def _events(log: KafkaLog) -> int:
    return sum([await log.end(TOPIC, partition) for partition in range(log.partitions(TOPIC))])


async def _reached(cluster: BenchCluster, events: int) -> None:
    """Return once the topic of the shop has so many events."""
    log = await KafkaLog.look(cluster.network.kafka, [TOPIC])
    try:
        async with asyncio.timeout(READY_S):
            while True:
                if await _events(log) >= events:
                    break
                await asyncio.sleep(_PAUSE_S)
    finally:
        await log.close()


async def _rest(cluster: BenchCluster) -> None:
    """Return once the topic of the shop has not grown for two seconds."""
    log, size = await KafkaLog.look(cluster.network.kafka, [TOPIC]), -1
    try:
        while (now := await _events(log)) != size:
            size = now
            await asyncio.sleep(2.0)
    finally:
        await log.close()


SHOP_ON_KAFKA = Measurement("shop", "orders of the shop on Kafka", _run, large=True)
