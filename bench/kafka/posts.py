"""Measures durable POSTs: a response is 201 after its event's transaction is committed."""

from pathlib import Path

from bench.kafka.cluster import BenchCluster, open_cluster
from bench.load import Load
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.posts import posted
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.shelf.events import TOPIC

_FACTS = {
    "what": "one instance of newbook, called directly; the topic must have every acknowledged book",
    "1 partition": "one owner: queued commands share a transaction",
    "8 partitions": "the default of services: eight owners, eight producers",
    "one connection": "on 8 partitions",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    figures: Figures = {}
    for partitions in (1, 8):
        name = f"{partitions} partition{'s' * (partitions > 1)}"
        async with open_cluster(plan, folder / str(partitions), partitions) as cluster:
            figures |= await _loaded(cluster, plan, name)
    return Sample(figures, _FACTS)


async def _loaded(cluster: BenchCluster, plan: Plan, name: str) -> Figures:
    async with cluster.instance("newbook") as note:
        port = note.services["newbook"]
        many, single = Load(posted(), 201), Load(posted(), 201)
        figures = {name: await many.run(port, plan.connections, plan.seconds)}
        if name == "8 partitions":
            figures["one connection"] = await single.run(port, 1, plan.seconds)
    await _all_there(cluster, many.answered + single.answered)
    return figures


async def _all_there(cluster: BenchCluster, acknowledged: int) -> None:
    """Count the records of the topic. Raises `BenchFault` if it is not the number of acknowledged books."""
    log = await KafkaLog.look(cluster.network.kafka, [TOPIC])
    count = 0
    for partition in range(log.partitions(TOPIC)):
        end, tail = await log.end(TOPIC, partition), await log.tail(TOPIC, partition, 0)
        while tail.position < end:
            count += len(await tail.take(5000))
    await log.close()
    if count != acknowledged:
        msg = f"{acknowledged} books were acknowledged, but the topic has {count}"
        raise BenchFault(msg)


POSTS = Measurement("posts", "durable POST /books on Kafka", _run)
