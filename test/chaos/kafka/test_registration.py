"""The service `users` is killed -9 before and after each append of its registrations, on both logs."""

from pathlib import Path

import pytest
from chaos.kafka.result_table import Row
from chaos.registration import Killed, count_events, kill_registration
from support.kafka import Broker

pytestmark = [pytest.mark.chaos, pytest.mark.slow]
_FAULT = "kill -9 before and after each append of a registration"


def _row(fault: str, killed: list[Killed]) -> Row:
    return Row(
        fault=fault,
        rounds=sum(one.kills for one in killed),
        acknowledged=sum(one.acknowledged for one in killed),
        retried=0,
        lost=sum(one.lost for one in killed),
        doubled=sum(one.doubled for one in killed),
        slowest_s=0.0,
        recovered_s=max(one.ready_s for one in killed),
    )


def _play(folder: Path, fault: str, broker: str = "") -> Row:
    for name in ("plain", "before", "after"):
        (folder / name).mkdir(parents=True)
    expected = count_events(folder / "plain", broker)
    points = ("before", "after")
    killed = [kill_registration(folder / point, point, expected, broker) for point in points]
    row = _row(fault, killed)
    assert row.rounds > len(points)
    assert (row.lost, row.doubled) == (0, 0), row
    return row


def test_registrations_on_the_embedded_log(tmp_path: Path, table: list[Row]) -> None:
    table.append(_play(tmp_path, f"embedded shelf: {_FAULT}"))


@pytest.mark.needs("kafka")
def test_registrations_on_a_broker(kafka_broker: Broker, tmp_path: Path, table: list[Row]) -> None:
    table.append(_play(tmp_path, _FAULT, kafka_broker.address))
