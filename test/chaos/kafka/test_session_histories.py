"""Sessions on Kafka: clients count in one session on three nodes while the owner and a node are killed.

Each answer is recorded with its times; an oracle checks that the history is one of a counter that loses
nothing: each count is given once, later answers have higher counts, and at the end all are there.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path
from threading import Thread
from typing import NamedTuple

import pytest
from support.consul import Agent
from support.instance import names_of_its_own
from support.kafka import Broker
from support.until import until
from system.test_sessions import HEADER, StatefulNode, launched

CLIENTS, EACH = 6, 25
#: Seconds that one command may take, repetitions included, on a machine that does much else.
LONG_S = 120.0


class Counted(NamedTuple):
    """One answer: when it was asked for and given (monotonic seconds), and the count; 0 if repeated."""

    asked: float
    given: float
    value: int


def check_counts(history: Sequence[Counted], total: int) -> None:
    """Check a history of one counter. Raises AssertionError for a lost or a doubled addition."""
    assert total == len(history), f"{len(history)} additions were acknowledged, and the counter is {total}"
    known = [one for one in history if one.value]
    assert len({one.value for one in known}) == len(known), "one count was given twice"
    assert all(one.value <= total for one in known)
    given, newest, number = sorted(known, key=lambda one: one.given), 0, 0
    for one in sorted(known, key=lambda one: one.asked):
        while number < len(given) and given[number].given < one.asked:
            newest = max(newest, given[number].value)
            number += 1
        assert one.value > newest, f"{one} was asked for after {newest} had been given"


def test_the_oracle_finds_what_is_lost_doubled_or_out_of_order() -> None:
    fine = [Counted(0, 2, 2), Counted(0, 1, 1), Counted(1.5, 4, 3), Counted(3, 5, 0)]
    check_counts(fine, 4)
    bad = {
        "lost": (fine, 3),
        "given twice": ([*fine[:2], Counted(1.5, 4, 2)], 3),
        "out of order": ([Counted(0, 1, 2), Counted(2, 3, 1)], 2),
    }
    for history, total in bad.values():
        with pytest.raises(AssertionError):
            check_counts(history, total)


class CountingClient(Thread):
    """Counts one time after the other, and repeats each until it is answered."""

    def __init__(self, name: str, nodes: Sequence[Callable[[], StatefulNode]], session: str) -> None:
        super().__init__(daemon=True)
        self.history: list[Counted] = []
        self._label = name
        self._nodes = nodes
        self._session = session

    def run(self) -> None:
        for number in range(EACH):
            headers = {HEADER: self._session, "Idempotency-Key": f"{self._label}-{number}"}
            asked, attempt, end = time.monotonic(), 0, time.monotonic() + LONG_S
            while (count := self._ask(number + attempt, headers, attempt)) is None:
                attempt += 1
                assert time.monotonic() < end, "it is not answered"
            self.history.append(Counted(asked, time.monotonic(), count))

    def _ask(self, at: int, headers: dict[str, str], attempt: int) -> int | None:
        """Return the count of an answer, 0 if it may be that of another one; None without success."""
        with contextlib.suppress(OSError, HTTPException):
            client = self._nodes[at % len(self._nodes)]().client
            answer = client.ask("POST", "/stateful/count", **headers)
            if answer.status == 200:
                return 0 if attempt else int(answer.json["count"])
        return None


@pytest.fixture
def env(kafka_broker: Broker, consul_agent: Agent) -> Iterator[dict[str, str]]:
    yield {
        "BOOKSHELF_BROKER": kafka_broker.address,
        "BOOKSHELF_CONSUL": f"127.0.0.1:{consul_agent.ports.http}",
        "BOOKSHELF_PORT": "0",
        "BOOKSHELF_CLUSTER_DOMAIN": "blue",
        **names_of_its_own(),
    }
    consul_agent.clear()


@pytest.mark.chaos
@pytest.mark.slow
@pytest.mark.needs("kafka", "consul")
def test_no_acknowledged_count_is_lost_while_the_owner_and_a_node_are_killed(
    env: dict[str, str], tmp_path: Path
) -> None:
    with ExitStack() as stack:

        def started(service: str, folder: str) -> StatefulNode:
            return StatefulNode(stack.enter_context(launched(service, tmp_path / folder, env)))

        owner = started("sessions", "a")
        nodes = [started("stateful", str(number)) for number in range(3)]
        answer = nodes[0].client.ask("PUT", "/stateful/value", {"value": "x"})
        session = str(answer.headers[HEADER.lower()])
        places = [lambda number=number: nodes[number] for number in range(3)]
        clients = [CountingClient(f"client-{number}", places, session) for number in range(CLIENTS)]
        for client in clients:
            client.start()

        def answered(many: int) -> bool:
            return sum(len(client.history) for client in clients) >= many

        until(lambda: answered(20), "20 are counted", LONG_S)
        started("sessions", "b")
        owner.kill()
        until(lambda: answered(60), "the next owner counts", LONG_S)
        nodes[2].kill()
        nodes[2] = started("stateful", "2")
        until(lambda: answered(CLIENTS * EACH), "all are counted", LONG_S)
        for client in clients:
            client.join()
        for node in nodes:
            total = node.client.get("/stateful/count", **{HEADER: session}).json["count"]
            check_counts([one for client in clients for one in client.history], total)
