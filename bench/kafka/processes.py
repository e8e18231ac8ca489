"""Measures a process on Kafka, beside Protean's process manager."""

from pathlib import Path
from uuid import uuid4

from bench.baseline import protean
from bench.measurement import Measurement, Plan, Sample
from bench.processes import EVENTS_FOUND, TOPICS, measure
from bookshelf.log.kafka.clients import Clients
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import KafkaSettings, Topic


async def _run(plan: Plan, _folder: Path) -> Sample:
    settings = KafkaSettings(bootstrap=plan.broker, prefix=f"bench-{uuid4().hex[:8]}.", partitions=1)
    log = await KafkaLog.open(settings, [Topic(name) for name in TOPICS])
    try:
        own = await measure(log, plan.count(EVENTS_FOUND), plan.seconds)
    finally:
        await log.close()
        admin = Clients(settings).admin()
        await admin.start()
        try:
            await admin.delete_topics([settings.prefix + name for name in TOPICS])
        finally:
            await admin.close()
    theirs, facts = await protean("protean_program.py", plan.seconds)
    return Sample(own | theirs, facts)


PROCESSES_ON_KAFKA = Measurement("processes", "a process on Kafka", _run, large=True)
