"""Topics are made once there is a controller and a broker that counts: one just back does not."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import errors
from aiokafka.admin import NewTopic

from bookshelf.log.kafka.settings import KafkaSettings, Topic
from bookshelf.log.kafka.topics import TooFewBrokers, TopicSettings, ensure
from bookshelf.log.port import LogFault


class Cluster:
    """Of one broker, which has just come back; connection and admin client in one.

    `answers`: its answers to a request to create topics, None for no controller; the last one repeats.
    """

    def __init__(self, *answers: type[errors.KafkaError] | None) -> None:
        self.answers = list(answers)
        self.asked = 0
        self.topics: list[str] = []

    async def send(self, request: Any) -> Any:  # noqa: ANN401 (aiokafka's)
        del request
        missing = errors.UnknownTopicOrPartitionError.errno
        made = [(0, name, False, [(0, 0, 1)]) for name in self.topics]
        return SimpleNamespace(topics=made or [(missing, "books", False, [])])

    async def create_topics(self, wanted: list[NewTopic]) -> Any:  # noqa: ANN401 (aiokafka's)
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        controller: Any = SimpleNamespace(nodeId=1) if answer else None
        assert controller.nodeId == 1
        assert answer is not None
        self.topics = [] if answer.errno else [topic.name for topic in wanted]
        return SimpleNamespace(topic_errors=[(topic.name, answer.errno, "not now") for topic in wanted])

    async def describe_configs(self, asked: list[Any]) -> Any:  # noqa: ANN401 (aiokafka's)
        kept = [("cleanup.policy", "delete"), ("retention.ms", "-1"), ("retention.bytes", "-1")]
        entries = [("max.message.bytes", "9"), *kept]
        return [SimpleNamespace(resources=[(0, "", 2, one.name, entries) for one in asked])]


async def made(cluster: Any) -> dict[str, TopicSettings]:  # noqa: ANN401 (it stands for two)
    return await ensure(cluster, cluster, KafkaSettings(partitions=1, wait_s=0.4), [Topic("books")])


@pytest.mark.parametrize(
    "first", [None, errors.NotControllerError, errors.InvalidReplicationFactorError], ids=str
)
async def test_a_broker_that_has_just_restarted_is_tried_again(first: type[errors.KafkaError] | None) -> None:
    cluster = Cluster(first, errors.NoError)
    assert await made(cluster) == {"books": TopicSettings(1, 9)}
    assert cluster.asked == 2


async def test_too_few_brokers_are_reported_in_time() -> None:
    cluster = Cluster(errors.InvalidReplicationFactorError)
    with pytest.raises(
        TooFewBrokers, match="topic books: not now; set kafka_replication to no more than there"
    ):
        await made(cluster)
    assert cluster.asked > 1


async def test_a_permanent_fault_is_not_retried() -> None:
    cluster = Cluster(errors.PolicyViolationError)
    with pytest.raises(LogFault, match=r"topic books: not now$"):
        await made(cluster)
    assert cluster.asked == 1
