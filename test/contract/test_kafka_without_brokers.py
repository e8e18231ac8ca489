"""A cluster names no broker for a moment: a suspended one answers before it is back in the cluster."""

import pytest
from support.kafka import Broker

from bookshelf.log.kafka.clients import Clients, stop_producer
from bookshelf.log.kafka.settings import KafkaSettings

pytestmark = pytest.mark.needs("kafka")


async def test_a_writer_waits_until_the_cluster_has_a_broker(kafka_broker: Broker) -> None:
    producer = Clients(KafkaSettings(bootstrap=kafka_broker.address)).producer("without-brokers")
    named = producer.client.get_random_node
    absent = [None, None]
    producer.client.get_random_node = lambda: absent.pop() if absent else named()
    try:
        await producer.start()
    finally:
        await stop_producer(producer)
    assert absent == []
