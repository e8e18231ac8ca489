"""Chooses and opens the log that a command reads: that of a data folder, or one on Kafka."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import click
from msgspec.structs import replace

from bookshelf.cli.faults import stop
from bookshelf.cli.instance import kafka_log, topics
from bookshelf.config import read, read_network, with_port
from bookshelf.log.kafka.settings import KafkaSettings
from bookshelf.log.port import ReadOnlyLog
from bookshelf.log.sqlite.log import ReadOnlySqliteLog

#: Seconds that a command waits for a broker, unless a setting has another value: a user is waiting.
_WAIT_S = 10.0
_NAMES_A_BROKER = ("BOOKSHELF_BROKER", "KAFKA_BROKER_ADDR", "KAFKA_BROKER_PORT")
F = TypeVar("F", bound=Callable[..., object])


def log_options(command: F) -> F:
    """Add the options that choose the log to a command."""
    data = click.option("--data", metavar="DIR", help="The data folder of a shelf, running or not.")
    broker = click.option("--broker", metavar="ADDR", help="A Kafka broker, in place of a data folder.")
    return data(broker(command))


def asked_of(data: str | None, broker: str | None) -> KafkaSettings | None:
    """Return the settings for Kafka; None if a data folder is named, or if no broker is."""
    if data is not None and broker is not None:
        stop("--data and --broker are of two logs; name one")
    if data is not None or (broker is None and not any(os.environ.get(name) for name in _NAMES_A_BROKER)):
        return None
    addresses = broker and ",".join(with_port(address, "9092") for address in broker.split(","))
    kafka = read_network(os.environ, broker=addresses).kafka
    return kafka if "BOOKSHELF_BROKER_WAIT_S" in os.environ else replace(kafka, wait_s=_WAIT_S)


@asynccontextmanager
async def watched(data: str | None, broker: str | None, topic: str) -> AsyncIterator[ReadOnlyLog]:
    """Open the chosen log to read one of its topics. Raises `LogFault`."""
    known = [known_topic.name for known_topic in topics()]
    if topic not in known:
        stop(f"no service has a topic {topic[:100]!r}; there are {', '.join(known)}")
    kafka = asked_of(data, broker)
    log: ReadOnlyLog = (
        embedded(data) if kafka is None else await kafka_log("a log on Kafka").look(kafka, [topic])
    )
    try:
        yield log
    finally:
        await log.close()


def embedded(data: str | None) -> ReadOnlySqliteLog:
    """Open the log of a data folder. Raises `LogFault`."""
    return ReadOnlySqliteLog(read(os.environ, data=data).folder / "log.sqlite")
