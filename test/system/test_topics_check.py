"""`bookshelf topics check`: what is there beside what is needed, and what to do; it changes nothing."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from support.kafka import Broker, free_ports
from support.kafka_log import admin_of, settings
from support.process import Ended, bookshelf
from support.program import Program

from bookshelf.cli.instance import topics
from bookshelf.log.kafka.log import KafkaLog

NAMES = {topic.name for topic in topics()}


class Checked:
    """Checks under names of its own on a broker."""

    def __init__(self, broker: Broker) -> None:
        self.prefix = f"test-{uuid4().hex[:8]}."
        self._broker = broker

    def __call__(self, *args: str, **env: str) -> Ended:
        places = {"BOOKSHELF_KAFKA_PREFIX": self.prefix, "BOOKSHELF_BROKER": self._broker.address}
        return bookshelf("topics", "check", *args, env={**places, **env})

    def wrong(self, **env: str) -> dict[str, str]:
        """Return what to do about what is not good, by topic and name."""
        found = json.loads(self("--json", **env).out)
        return {
            f"{line['topic'].removeprefix(self.prefix)} {line['name']}": line["do"]
            for line in found
            if line["do"]
        }


@pytest.fixture
def check(kafka_broker: Broker) -> Checked:
    return Checked(kafka_broker)


@pytest.mark.needs("kafka")
async def test_missing_topics_are_reported_until_they_are_created(
    check: Checked, kafka_broker: Broker
) -> None:
    assert check().code == 2
    assert "things are to be corrected; the first: test-" in check().err
    missing = check.wrong()
    assert missing.keys() == {f"{name} topic" for name in NAMES}
    assert (
        "--partitions 8 --replication-factor 1 --config cleanup.policy=delete" in missing["bookshelf topic"]
    )
    log = await KafkaLog.open(settings(kafka_broker.address, prefix=check.prefix), topics())
    await log.writer("newbook", "bookshelf", 0)
    await log.close()
    assert "WRONG" not in check().well
    assert check.wrong() == {}
    found: list[dict[str, Any]] = json.loads(check("--json").well)
    assert {line["name"] for line in found} >= {
        "partitions",
        "replication.factor",
        "retention.ms",
        "cleanup.policy",
        "written for partitions",
    }
    assert {line["topic"] for line in found} >= {"__transaction_state", "__consumer_offsets"}
    # a writer was opened before, so the brokers have made this one
    assert {"replication.factor", "min.insync.replicas"} <= {
        line["name"] for line in found if line["topic"] == "__transaction_state"
    }


@pytest.mark.needs("kafka")
async def test_topics_with_wrong_settings_are_reported(check: Checked, kafka_broker: Broker) -> None:
    log = await KafkaLog.open(settings(kafka_broker.address, prefix=check.prefix, partitions=3), topics())
    await log.close()
    for_ever = {"retention.ms": "3600000", "cleanup.policy": "compact", "max.message.bytes": "33554432"}
    async with admin_of(kafka_broker.address) as admin:
        name = f"{check.prefix}bookshelf"
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, for_ever)])
    wrong = check.wrong(BOOKSHELF_KAFKA_REPLICATION="2")
    assert wrong["bookshelf partitions"].startswith("set kafka_partitions to 3; never change")
    assert wrong["bookshelf retention.ms"].endswith(f"--entity-name {name} --add-config retention.ms=-1")
    assert wrong["bookshelf cleanup.policy"].endswith("cleanup.policy=delete")
    assert "kafka-reassign-partitions.sh" in wrong["bookshelf replication.factor"]
    assert "bookshelf max.message.bytes" not in wrong  # larger is as good
    assert check(BOOKSHELF_KAFKA_PARTITIONS="3").code == 2
    assert "bookshelf partitions" not in check.wrong(BOOKSHELF_KAFKA_PARTITIONS="3")


def test_a_data_folder_passes_the_check(tmp_path: Path) -> None:
    with Program(tmp_path).ready() as up:
        up.client.add("Dune")
        said = bookshelf("topics", "check", "--data", tmp_path).well
        assert up.stop().well
    lines = {tuple(line.split(maxsplit=2)[::2]) for line in said.splitlines()}
    assert {
        ("bookshelf", "topic  there"),
        ("bookshelf", "records  1"),
        ("bookshelf", "partitions  1"),
    } <= lines


def test_a_missing_broker_is_reported(tmp_path: Path) -> None:
    place = f"127.0.0.1:{free_ports(1)[0]}"
    ended = bookshelf("topics", "check", "--broker", place, env={"BOOKSHELF_BROKER_WAIT_S": "0.3"})
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith(f"bookshelf: no Kafka broker answers at {place}")
    assert list(tmp_path.iterdir()) == []
