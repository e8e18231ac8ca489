"""Topics are made once there is a controller: aiokafka stumbles over metadata that names none."""

from types import SimpleNamespace
from typing import Any

from aiokafka import errors
from aiokafka.admin import NewTopic

from bookshelf.log.kafka.settings import KafkaSettings, Topic
from bookshelf.log.kafka.topics import Found, ensure


class Cluster:
    """Of one broker, which has just come back; connection and admin client in one."""

    def __init__(self) -> None:
        self.asked = 0
        self.topics: list[str] = []

    async def send(self, request: Any) -> Any:  # noqa: ANN401 (aiokafka's)
        del request
        missing = errors.UnknownTopicOrPartitionError.errno
        made = [(0, name, False, [(0, 0, 1)]) for name in self.topics]
        return SimpleNamespace(topics=made or [(missing, "books", False, [])])

    async def create_topics(self, wanted: list[NewTopic]) -> Any:  # noqa: ANN401 (aiokafka's)
        self.asked += 1
        controller: Any = None if self.asked == 1 else SimpleNamespace(nodeId=1)
        assert controller.nodeId == 1
        self.topics = [topic.name for topic in wanted]
        return SimpleNamespace(topic_errors=[(name, 0) for name in self.topics])

    async def describe_configs(self, asked: list[Any]) -> Any:  # noqa: ANN401 (aiokafka's)
        return [
            SimpleNamespace(resources=[(0, "", 2, one.name, [("max.message.bytes", "9")]) for one in asked])
        ]


async def test_a_broker_that_knows_no_controller_yet_is_asked_again() -> None:
    cluster: Any = Cluster()
    found = await ensure(cluster, cluster, KafkaSettings(partitions=1), [Topic("books")])
    assert found == {"books": Found(1, 9)}
    assert cluster.asked == 2
