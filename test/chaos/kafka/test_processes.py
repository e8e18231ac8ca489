"""A process and a connector that are killed -9 before and after their appends to a real broker."""

import signal
from pathlib import Path

import pytest
from support.kafka import Broker
from support.stall_kills import check, kill_around_appends, run

pytestmark = [pytest.mark.needs("kafka"), pytest.mark.chaos]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A folder of a name that no other test has: the topics have it too."""
    return tmp_path_factory.mktemp(f"stall-{abs(hash(request.node.name))}")


def test_a_process_is_killed_before_and_after_an_append(kafka_broker: Broker, folder: Path) -> None:
    codes = [run(folder, point, kafka_broker.address) for point in ("before", "after", "never")]
    assert codes == [-signal.SIGKILL, -signal.SIGKILL, 0]
    check(folder, kafka_broker.address)


@pytest.mark.slow
@pytest.mark.parametrize("point", ["before", "after"])
def test_a_process_is_killed_around_each_append(kafka_broker: Broker, folder: Path, point: str) -> None:
    codes = kill_around_appends(folder, point, kafka_broker.address)
    assert codes[-1] == 0
    check(folder, kafka_broker.address)
