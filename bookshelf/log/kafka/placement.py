"""Whether a topic's records are where their keys are looked for, or were written for fewer partitions.

Kafka lets an operator add partitions to a topic. Its records stay where they are, while their keys belong to
other partitions from then on: owners would not find them. No setting of a topic remembers the former number,
so the first records of each partition are read.
"""

import asyncio
from collections.abc import Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition

from bookshelf.log.kafka.client_lifecycle import start_client, stop_consumer
from bookshelf.log.kafka.clients import Clients
from bookshelf.log.kafka.faults import persist
from bookshelf.log.partition import partition_of

#: Records of each partition that are looked at. After c partitions became n, at most half of the keys fit.
_SAMPLE = 32
#: Milliseconds that one answer is waited for.
_WAIT_MS = 2000

#: The first keys of each partition.
Sample = Mapping[int, Iterable[str]]


def written_for(sample: Sample, partitions: int) -> int:
    """Return the number of partitions that the first keys were written for; 0 if they fit no number.

    It is `partitions` if all keys fit it, or if there are none. Otherwise it is the largest lower number that
    explains the keys that do not: some records may have been written after partitions were added.
    """
    misfits = [(p, key) for p, keys in sample.items() for key in keys if partition_of(key, partitions) != p]
    if not misfits:
        return partitions
    numbers = range(partitions - 1, 0, -1)
    return next((n for n in numbers if all(partition_of(key, n) == p for p, key in misfits)), 0)


async def first_keys(clients: Clients, topics: Mapping[str, int]) -> dict[str, dict[int, list[str]]]:
    """Return the first keys of each partition, by the topic's name in Kafka. The deadline is the caller's."""
    consumer = clients.reader()
    try:
        await start_client(consumer)
        places = [TopicPartition(name, p) for name, count in topics.items() for p in range(count)]
        starts = await persist(lambda: consumer.beginning_offsets(places))
        ends = await persist(lambda: consumer.end_offsets(places))
        filled = [place for place in places if starts[place] < ends[place]]
        if filled:
            consumer.assign(filled)
            for place in filled:
                consumer.seek(place, starts[place])
        found = await asyncio.gather(*(_keys(consumer, place) for place in filled))
    finally:
        await stop_consumer(consumer)
    sample: dict[str, dict[int, list[str]]] = {name: {} for name in topics}
    for place, keys in zip(filled, found, strict=True):
        sample[place.topic][place.partition] = keys
    return sample


async def _keys(consumer: AIOKafkaConsumer, place: TopicPartition) -> list[str]:
    """Return the first keys; none if no answer comes, or the first records are of an open transaction."""
    found = await consumer.getmany(place, timeout_ms=_WAIT_MS, max_records=_SAMPLE)
    return [one.key.decode(errors="replace") for one in found.get(place, ()) if one.key]


def misplaced(name: str, found: int, written: int) -> str:
    """Return what happened to a topic whose records were written for another number, and what to do."""
    former = f"for {written}" if written else "for another number"
    again = f"with {written}" if written else "with the former number"
    return (
        f"Kafka's topic {name} has {found} partitions, and its first records were written {former}: "
        f"partitions were added, so the records of most keys would never be found. Partitions cannot be "
        f"taken away: make a topic {again} under another kafka_prefix, copy each partition's records into "
        f"the partition of the same number, and set kafka_prefix and kafka_partitions"
    )
