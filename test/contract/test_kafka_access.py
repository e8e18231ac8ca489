"""Connecting to Kafka: faults that a user can correct are reported in one line, others are awaited."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract.log_contract import TOPIC, everything, records, write
from structlog.testing import capture_logs
from support.kafka import Broker, brokers, free_ports
from support.kafka_config import PASSWORD, USER
from support.kafka_log import kafka_log, settings
from support.until import eventually

from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import KafkaSettings, Topic
from bookshelf.log.port import LogFault

pytestmark = pytest.mark.needs("kafka")


def secure(broker: Broker, **more: object) -> KafkaSettings:
    chosen = {
        "security_protocol": "SASL_SSL",
        "sasl_username": USER,
        "sasl_password": PASSWORD,
        "ssl_cafile": str(broker.trusted),
    }
    return settings(broker.secure_address, **{**chosen, **more})


async def refused(chosen: KafkaSettings) -> str:
    """Return the one line that a person gets; it comes at once."""
    with pytest.raises(LogFault) as fault:
        async with asyncio.timeout(30):
            await KafkaLog.open(chosen, [Topic(TOPIC)])
    line = str(fault.value)
    assert "\n" not in line
    assert PASSWORD not in line
    return line


async def test_a_connection_by_tls_and_password_works(kafka_broker: Broker) -> None:
    log = await KafkaLog.open(secure(kafka_broker), [Topic(TOPIC)])
    await write(log, "a")
    assert [record.key for record in await everything(log)] == ["a"]
    assigned = asyncio.Event()

    async def given(_: frozenset[int]) -> None:
        assigned.set()

    await log.join("newbook", TOPIC, given, given)
    assert assigned.is_set()
    await log.close()


async def test_a_wrong_password_is_reported_at_once(kafka_broker: Broker) -> None:
    line = await refused(secure(kafka_broker, sasl_password="wrong"))  # noqa: S106 (that is the point)
    assert "refuses the connection" in line
    assert "check the user name, the password and the SASL mechanism" in line


async def test_an_unsupported_mechanism_is_reported_at_once(kafka_broker: Broker) -> None:
    line = await refused(secure(kafka_broker, sasl_mechanism="SCRAM-SHA-256"))
    assert "check the user name, the password and the SASL mechanism" in line


async def test_an_untrusted_certificate_is_reported_at_once(kafka_broker: Broker) -> None:
    line = await refused(secure(kafka_broker, ssl_cafile=""))
    assert "name the certificate authority" in line


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "other"])
async def test_an_invalid_certificate_file_is_reported_with_its_name(
    kafka_broker: Broker, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "authority.pem"
    if content is not None:
        file.write_text(content)
    line = await refused(secure(kafka_broker, ssl_cafile=str(file)))
    assert f"({file}) cannot be used" in line


async def test_a_missing_broker_is_reported_after_the_deadline() -> None:
    [port] = free_ports(1)
    address = f"127.0.0.1:{port}"
    fault = f"no Kafka broker answers at {address} .*for 0.5 s: start one there"
    with capture_logs() as lines, pytest.raises(LogFault, match=fault):
        await KafkaLog.open(settings(address, wait_s=0.5), [Topic(TOPIC)])
    assert {line["event"] for line in lines} == {"waiting-for-broker"}
    assert 2 <= len(lines) <= 6
    assert all((line["broker"], line["log_level"]) == (address, "warning") for line in lines)


async def test_an_unknown_host_is_reported() -> None:
    with pytest.raises(LogFault, match=r"no Kafka broker answers at nowhere\.invalid:9092"):
        await KafkaLog.open(settings("nowhere.invalid:9092", wait_s=0.1), [Topic(TOPIC)])


@pytest.fixture
def late(tmp_path: Path, kafka_broker: Broker) -> Iterator[Broker]:
    """A broker that is not up yet."""
    assert kafka_broker.port  # whatever is to be made once, is made
    with brokers(tmp_path) as [broker]:
        broker.stop()
        yield broker


async def test_a_broker_that_comes_later_is_found(late: Broker) -> None:
    opening = asyncio.ensure_future(KafkaLog.open(settings(late.address), [Topic(TOPIC)]))
    with capture_logs() as lines:

        async def failed() -> bool:
            return bool(lines)

        await eventually(failed, "the opening has failed once")
    late.launch()
    log = await opening
    writer = await log.writer("newbook", TOPIC, 0)
    await writer.append(records("a"))
    await log.close()


async def test_one_of_several_addresses_is_enough(kafka_broker: Broker) -> None:
    [port] = free_ports(1)
    async with kafka_log(f"127.0.0.1:{port},{kafka_broker.address}", TOPIC) as log:
        await write(log, "a")
        assert [record.key for record in await everything(log)] == ["a"]


def test_settings_do_not_show_the_password() -> None:
    assert "secret" not in repr(KafkaSettings(sasl_username="reader", sasl_password="secret"))  # noqa: S106
