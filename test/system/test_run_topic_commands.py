"""Commands by topic to `bookshelf run`: each is answered on a topic that is the sender's own."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.admin import NewTopic
from support.consul import Agent
from support.fixed_infrastructure import NOW
from support.instance import Instance, names_of_its_own
from support.kafka import Broker
from support.kafka_log import admin_of, settings

from bookshelf.cli.instance import ORDERS_S
from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import Topic
from bookshelf.log.port import NewRecord, partition_of
from bookshelf.runtime.aggregate.command_messages import command_message
from bookshelf.shelf.book import BOOK, AddBook, RemoveBook
from bookshelf.shelf.fields import NewBook

pytestmark = pytest.mark.needs("kafka", "consul")
#: Takes no record of more bytes than this, so no answer.
_TINY = {"max.message.bytes": "100"}


@pytest.fixture(scope="module")
def agent(consul_agent: Agent) -> Iterator[Agent]:
    yield consul_agent
    consul_agent.clear()


def add(subject: str, replyto: str) -> NewRecord:
    command = AddBook(book=NewBook(title=subject, author="Frank Herbert"), at=NOW)
    return command_message(
        BOOK, command, id=f"add-{subject}", source="tests", subject=subject, time=NOW, replyto=replyto
    )


def remove(subject: str) -> NewRecord:
    command_id = f"remove-{subject}"
    about: Any = {"id": command_id, "source": "tests", "subject": subject, "time": NOW, "replyto": "answers"}
    return command_message(BOOK, RemoveBook(), **about)


async def answers(log: KafkaLog, count: int) -> dict[str, Any]:
    """Return the first answers by the id of their command."""
    found: dict[str, Any] = {}
    async with asyncio.timeout(60):
        tail = await log.tail("answers", 0, 0)
        while len(found) < count:
            for record in await tail.take(100):
                envelope = msgspec.json.decode(record.value)
                found[envelope["causationid"]] = envelope["type"]
    return found


async def test_commands_are_answered_on_the_senders_topic_whatever_others_name(
    kafka_broker: Broker, agent: Agent, tmp_path: Path
) -> None:
    names = names_of_its_own()
    prefix = names["BOOKSHELF_KAFKA_PREFIX"]
    environment: Mapping[str, str] = {
        "KAFKA_BROKER_ADDR": "127.0.0.1",
        "KAFKA_BROKER_PORT": str(kafka_broker.port),
        "CONSUL_AGENT_ADDR": "127.0.0.1",
        "CONSUL_AGENT_PORT": str(agent.ports.http),
        **names,
    }
    async with admin_of(kafka_broker.address) as admin:
        await admin.create_topics(
            [NewTopic(f"{prefix}answers", 1, 1), NewTopic(f"{prefix}tiny", 1, 1, topic_configs=_TINY)]
        )
    chosen = settings(kafka_broker.address, prefix=prefix, partitions=2)
    async with AsyncExitStack() as stack:
        newbook = stack.enter_context(Instance("newbook", tmp_path, env=environment).ready())
        sender = await KafkaLog.open(chosen, [Topic("newbook.commands", ORDERS_S)])
        stack.push_async_callback(sender.close)
        reader = await KafkaLog.look(chosen, ["answers"])
        stack.push_async_callback(reader.close)
        writers = [await sender.writer("sender", "newbook.commands", p) for p in range(2)]
        topics = ("answers", "missing", "tiny")
        books = [f"dune-{topic}-{n}" for n in range(3) for topic in topics]
        commands = [add(book, book.split("-")[1]) for book in books]
        for command in [*commands, remove("none")]:
            await writers[partition_of(command.key, 2)].append([command])
        done = {f"add-dune-answers-{n}": "bookshelf.command-done.v1" for n in range(3)}
        assert await answers(reader, 4) == {**done, "remove-none": "bookshelf.command-refused.v1"}
        added = {book: newbook.client.patch(f"/books/{book}", {"pages": 1}).status for book in books}
        assert added == dict.fromkeys(books, 200)
        async with admin_of(kafka_broker.address) as admin:
            assert f"{prefix}missing" not in await admin.list_topics()
