"""Hundreds of clients change one book while its owner, its broker and the gateway's connections fail."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager

import pytest
from chaos.kafka.result_table import Row
from chaos.kafka.trial import ROUNDS, Trial, trial_of
from support.cutting_proxy import CuttingProxy
from support.fleet import GATEWAY, Fleet
from support.hot_load import Habits, HotLoad
from support.kafka_proxy import BackgroundLoop
from support.proxied_consul import ProxiedConsul
from support.proxied_kafka import ProxiedBroker
from support.until import until

pytestmark = [pytest.mark.needs("kafka", "consul"), pytest.mark.chaos, pytest.mark.slow]
CLIENTS = 200
#: Answers that are lost at a time: after five failures in a row the gateway leaves an instance alone.
LOST = 4
Hot = Callable[[str], AbstractContextManager[Trial]]


@contextmanager
def hot_trial(
    fleet: Fleet, background_loop: BackgroundLoop, table: list[Row], fault: str, keyless: int = 0
) -> Iterator[Trial]:
    """Have many clients change one book meanwhile. One of `keyless` sends no keys; none if it is 0."""
    name = f"one book, {CLIENTS} clients: {fault}"
    book = fleet.gateway.add(name)["id"]
    load = HotLoad(background_loop, fleet.gateway, [book], name, CLIENTS, Habits(keyless=keyless))
    with trial_of(fleet, name, load, table) as running:
        yield running


@pytest.fixture
def hot(fleet: Fleet, background_loop: BackgroundLoop, table: list[Row]) -> Hot:
    """Begin a trial of a fault by its name."""
    return lambda fault: hot_trial(fleet, background_loop, table, fault)


def test_the_owner_of_the_book_is_killed(fleet: Fleet, hot: Hot) -> None:
    with hot("newbook: kill -9") as trial:
        for _ in range(ROUNDS):
            for name in ("newbook-1", "newbook-2"):  # one of them is the owner
                trial.under_load(CLIENTS)
                fleet.members[name].kill()
                trial.over()
                trial.recovered()
                fleet.whole()


def test_the_partition_of_the_book_moves(fleet: Fleet, hot: Hot) -> None:
    with hot("newbook: 2 to 3 instances and back") as trial:
        for _ in range(ROUNDS):
            trial.under_load(CLIENTS)
            fleet.start("newbook", 3)
            trial.under_load(CLIENTS)
            for name in ("newbook-1", "newbook-2"):
                fleet.retire(name)
            trial.over()
            trial.recovered()
            fleet.whole()


def test_the_broker_is_killed(behind: ProxiedBroker, hot: Hot) -> None:
    with hot("broker: kill -9, started again") as trial:
        for _ in range(ROUNDS):
            trial.under_load(CLIENTS)
            behind.broker.kill()
            trial.over()
            behind.broker.start()
            trial.recovered()


@pytest.fixture
def cutter(fleet: Fleet, registry: ProxiedConsul, background_loop: BackgroundLoop) -> Iterator[CuttingProxy]:
    """What the gateway, and instances that forward, reach services through."""
    with closing(CuttingProxy(background_loop)) as made:
        registry.rewrites(made.rewrite)
        fleet.retire(f"{GATEWAY}-1")
        fleet.whole()
        yield made
        registry.rewrites(None)
        fleet.retire(f"{GATEWAY}-1")
        fleet.whole()


def test_connections_between_gateway_and_services_are_cut(
    fleet: Fleet, cutter: CuttingProxy, background_loop: BackgroundLoop, table: list[Row]
) -> None:
    fault = "connections between gateway and services cut, also before an answer"
    with hot_trial(fleet, background_loop, table, fault, keyless=2) as trial:
        for _ in range(5 * ROUNDS):
            trial.under_load(CLIENTS)
            cutter.cut()
            cutter.lose_answers(LOST)
            until(lambda: not cutter.answers_to_lose, f"{LOST} answers are lost")
            trial.recovered()
