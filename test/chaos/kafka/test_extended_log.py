"""A restored and extended log of the embedded shelf: its row is in the same table."""

from pathlib import Path

import pytest
from chaos.extended_log import restore_and_extend
from chaos.kafka.table import Row
from chaos.kafka.trial import ROUNDS, dice

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


def test_a_log_is_restored_and_extended_again_and_again(tmp_path: Path, table: list[Row]) -> None:
    random = dice("extended-log")
    played = [restore_and_extend(tmp_path / str(number), random) for number in range(ROUNDS)]
    row = Row(
        fault="embedded shelf: its log restored to an earlier point and extended",
        rounds=ROUNDS,
        acknowledged=sum(one.acknowledged for one in played),
        retried=0,
        lost=sum(one.lost for one in played),
        doubled=sum(one.doubled for one in played),
        slowest_s=0.0,
        recovered_s=max(one.ready_s for one in played),
    )
    assert (row.lost, row.doubled) == (0, 0), row
    table.append(row)
