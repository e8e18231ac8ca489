"""`bookshelf run` with refused credentials or unusable topics: one line has the reason."""

from pathlib import Path

import pytest
from support import consul
from support.instance import names_of_its_own
from support.kafka import Broker
from support.kafka_config import PASSWORD, USER
from support.kafka_log import kafka_log
from support.process import bookshelf

pytestmark = pytest.mark.needs("kafka", "consul")
_GUARDED = 'acl { enabled = true default_policy = "deny" tokens { master = "%s" agent = "%s" } }'
_TOKEN = "11111111-2222-3333-4444-555555555555"  # noqa: S105 (of an agent that dies with the test)


def _complaint(tmp_path: Path, **env: str) -> str:
    """Return the one line of a newbook that ends."""
    given = {"BOOKSHELF_LOG_LEVEL": "error", **names_of_its_own(), **env}
    return bookshelf("run", "newbook", "--data", tmp_path, "--port", "0", env=given).complaint


def test_a_wrong_password_for_kafka_ends_the_start(kafka_broker: Broker, tmp_path: Path) -> None:
    said = _complaint(
        tmp_path,
        BOOKSHELF_BROKER=kafka_broker.secure_address,
        BOOKSHELF_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        BOOKSHELF_KAFKA_SASL_USERNAME=USER,
        BOOKSHELF_KAFKA_SASL_PASSWORD=PASSWORD + "x",
        BOOKSHELF_KAFKA_SSL_CAFILE=str(kafka_broker.trusted),
    )
    assert f"Kafka at {kafka_broker.secure_address} refuses the connection" in said
    assert "check the user name, the password and the SASL mechanism" in said
    assert PASSWORD not in said


async def test_a_topic_with_another_number_of_partitions_ends_the_start(
    kafka_broker: Broker, tmp_path: Path
) -> None:
    names = names_of_its_own()
    prefix = names["BOOKSHELF_KAFKA_PREFIX"]
    async with kafka_log(kafka_broker.address, "bookshelf", prefix=prefix, partitions=3):
        said = _complaint(tmp_path, BOOKSHELF_BROKER=kafka_broker.address, **names)
    assert f"Kafka's topic {prefix}bookshelf has 3 partitions, but 2 are wanted" in said
    assert "set kafka_partitions to 3" in said


def test_a_wrong_token_for_consul_ends_the_start(kafka_broker: Broker, tmp_path: Path) -> None:
    with consul.running(_GUARDED % (_TOKEN, _TOKEN), _TOKEN) as agent:
        said = _complaint(
            tmp_path,
            BOOKSHELF_BROKER=kafka_broker.address,
            BOOKSHELF_CONSUL=f"127.0.0.1:{agent.ports.http}",
            BOOKSHELF_CONSUL_TOKEN="0" * 36,
        )
    assert "refuses the ACL token (ACL not found); docs/consul.md lists the rights that it needs" in said
