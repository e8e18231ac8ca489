"""A broker that is set back to an earlier copy of its data and extended before its former clients return."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.kafka.result_table import Row
from chaos.kafka.trial import seeded_random, trial
from support.fleet import Fleet
from support.kafka import Broker, brokers
from support.load import Load
from support.proxied_consul import ProxiedConsul

pytestmark = [pytest.mark.needs("kafka", "consul"), pytest.mark.chaos, pytest.mark.slow]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own."""
    with brokers(tmp_path / "broker") as [made]:
        assert isinstance(made, Broker)
        yield made


def play(fleet: Fleet, name: str, commands: int) -> list[str]:
    """Run a fleet from start to end, under load meanwhile; return the ids of books that it added."""
    fleet.whole([1])
    client = fleet.gateway
    books = [client.add(f"{name} {number}")["id"] for number in range(20)]
    with Load(client, name, seeded_random(name)) as load:
        load.goes_on(commands)
    for member in list(fleet.members):
        fleet.retire(member)
    return books


def test_a_broker_is_set_back_and_extended(
    tmp_path: Path, broker: Broker, proxied_consul_alone: ProxiedConsul, table: list[Row]
) -> None:
    fleet, other = (
        Fleet(tmp_path / name, broker.address, proxied_consul_alone.address) for name in ("fleet", "other")
    )
    data, copy = broker.folder / "data", tmp_path / "copy"
    try:
        kept = play(fleet, "kept", 60)
        broker.stop()
        shutil.copytree(data, copy)
        broker.start()
        lost = play(fleet, "lost", 100)
        broker.stop()
        shutil.rmtree(data)
        copy.rename(data)
        broker.start()
        play(other, "instead", 400)
        fleet.whole([1])
        fault = "broker: set back to a copy of its data and extended, while its clients are away"
        with trial(fleet, fault, seeded_random("set back"), table) as running:
            running.under_load()
            running.recovered()
            statuses = [fleet.gateway.patch(f"/books/{book}", {"pages": 1}).status for book in [*kept, *lost]]
            assert statuses == [200] * len(kept) + [404] * len(lost)
    finally:
        fleet.close()
        other.close()
