"""Durable POSTs: an answer is 201 once its event's transaction is committed."""

from pathlib import Path

from bench.kafka.town import Town, town
from bench.load import Load
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.posts import posted
from bookshelf.cli.networked import kafka
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.shelf.events import TOPIC

_FACTS = {
    "what": "one instance of newbook at its own port; the topic must have every book that was acknowledged",
    "1 partition": "one owner: who waits shares its transaction",
    "8 partitions": "as services are set by default: eight owners, eight producers",
    "one connection": "on 8 partitions",
}


async def _run(plan: Plan, folder: Path) -> Sample:
    figures: Figures = {}
    for partitions in (1, 8):
        name = f"{partitions} partition{'s' * (partitions > 1)}"
        async with town(plan, folder / str(partitions), partitions) as there:
            figures |= await _loaded(there, plan, name)
    return Sample(figures, _FACTS)


async def _loaded(there: Town, plan: Plan, name: str) -> Figures:
    async with there.instance("newbook") as note:
        port = note.services["newbook"]
        many, one = Load(posted(), 201), Load(posted(), 201)
        figures = {name: await many.run(port, plan.connections, plan.seconds)}
        if name == "8 partitions":
            figures["one connection"] = await one.run(port, 1, plan.seconds)
    await _all_there(there, many.answered + one.answered)
    return figures


async def _all_there(there: Town, acknowledged: int) -> None:
    """Count what is in the topic. Raises `BenchFault` if it is not what was acknowledged."""
    log = await KafkaLog.look(kafka(there.network), [TOPIC])
    found = 0
    for partition in range(log.partitions(TOPIC)):
        end, tail = await log.end(TOPIC, partition), await log.tail(TOPIC, partition, 0)
        while tail.position < end:
            found += len(await tail.take(5000))
    await log.close()
    if found != acknowledged:
        msg = f"{acknowledged} books were acknowledged, and {found} are in the topic"
        raise BenchFault(msg)


POSTS = Measurement("posts", "durable POST /books on Kafka", _run)
