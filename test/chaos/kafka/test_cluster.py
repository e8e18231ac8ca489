"""Three brokers, each record on three of them, two of which must have it: one goes."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.kafka.result_table import Row
from chaos.kafka.trial import ROUNDS, seeded_random, trial
from support.fleet import Fleet
from support.kafka_proxy import BackgroundLoop
from support.proxied_consul import ProxiedConsul
from support.proxied_kafka import ProxiedBroker, bootstrap, proxied_brokers

pytestmark = [pytest.mark.needs("kafka", "consul"), pytest.mark.chaos, pytest.mark.slow]


@pytest.fixture
def cluster(tmp_path: Path, background_loop: BackgroundLoop) -> Iterator[list[ProxiedBroker]]:
    with proxied_brokers(tmp_path / "brokers", background_loop, 3) as found:
        for one in found:
            one.broker.launch()
        for one in found:
            one.broker.ready()
        yield found


@pytest.fixture
def fleet(
    tmp_path: Path, cluster: list[ProxiedBroker], proxied_consul_alone: ProxiedConsul
) -> Iterator[Fleet]:
    copies = {"BOOKSHELF_KAFKA_REPLICATION": "3", "BOOKSHELF_KAFKA_MIN_INSYNC": "2"}
    made = Fleet(tmp_path / "fleet", bootstrap(cluster), proxied_consul_alone.address, **copies)
    made.whole([1])
    yield made
    made.close()


@pytest.mark.parametrize(
    ("number", "what"),
    [
        (signal.SIGKILL, "one of three brokers: kill -9, leaders move"),
        (signal.SIGTERM, "one of three brokers ends in order, leaders move"),
    ],
    ids=["killed", "ended"],
)
def test_one_of_three_brokers_fails(
    cluster: list[ProxiedBroker], fleet: Fleet, table: list[Row], number: int, what: str
) -> None:
    random = seeded_random("cluster")
    with trial(fleet, what, random, table) as running:
        for victim in random.sample(cluster, min(ROUNDS, 3)):
            running.under_load()
            running.over()
            victim.broker.stop(number)
            running.recovered()
            running.over()
            victim.broker.start()  # and leaders move back
            running.recovered()
