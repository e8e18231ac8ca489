"""Long values, changed often, on Kafka: every instance's memory is bounded in bytes, also after kill -9."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from chaos.kafka.result_table import Row
from chaos.kafka.trial import trial_of
from support.fleet import AGGREGATES, VIEWS, Fleet
from support.hot_load import Habits, HotLoad
from support.kafka import Broker, brokers
from support.kafka_proxy import BackgroundLoop
from support.memory import peak_mb
from support.proxied_consul import ProxiedConsul

pytestmark = [pytest.mark.needs("kafka", "consul"), pytest.mark.chaos, pytest.mark.slow]
BOOKS = 100
CHANGES = 66
#: Each of them takes 4 bytes, in memory too.
HABITS = Habits(characters=10_000, pause_s=0.0)
#: Megabytes that one instance of a service may take at its peak.
LIMIT_MB = 300.0


@pytest.fixture
def alone(tmp_path: Path, proxied_consul_alone: ProxiedConsul) -> Iterator[Fleet]:
    """One instance of each service, on a broker of the test's own, so that other tests need not read it."""
    with brokers(tmp_path / "broker") as [broker]:
        assert isinstance(broker, Broker)
        with closing(Fleet(tmp_path / "fleet", broker.address, proxied_consul_alone.address)) as fleet:
            fleet.whole([1])
            yield fleet


def too_large(fleet: Fleet) -> dict[str, float]:
    """Return the instances that took too much, and their peaks in megabytes."""
    members = [fleet.members[f"{service}-1"] for service in (*AGGREGATES, *VIEWS)]
    peaks = {member.name: peak_mb(member.pid) for member in members}
    return {name: peak for name, peak in peaks.items() if peak >= LIMIT_MB}


def test_long_notes_fit_into_memory_before_and_after_a_kill(
    alone: Fleet, background_loop: BackgroundLoop, table: list[Row]
) -> None:
    books = [alone.gateway.add(f"heavy {number}")["id"] for number in range(BOOKS)]
    name = f"newbook: kill -9, {BOOKS} books with notes of {HABITS.characters} characters"
    load = HotLoad(background_loop, alone.gateway, books, name, BOOKS, HABITS)
    with trial_of(alone, name, load, table) as trial:
        trial.under_load(BOOKS * CHANGES)
        assert too_large(alone) == {}
        alone.members["newbook-1"].kill()
        trial.over()
        alone.whole([1])
        trial.recovered()
        trial.under_load(BOOKS)
    assert too_large(alone) == {}
    for service in (*AGGREGATES, *VIEWS):
        alone.members[f"{service}-1"].kill()
    alone.whole([1])
    assert {alone.gateway.patch(f"/books/{book}", {"pages": 7}).status for book in books} == {200}
    assert too_large(alone) == {}
