"""A backup is of the embedded log: its row is in the same table."""

from pathlib import Path

import pytest
from chaos.backup import back_up_and_restore
from chaos.kafka.table import Row
from chaos.kafka.trial import ROUNDS, dice

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


def test_a_backup_is_restored_again_and_again(tmp_path: Path, table: list[Row]) -> None:
    random = dice("backup")
    played = [back_up_and_restore(tmp_path / str(number), random) for number in range(ROUNDS)]
    row = Row(
        fault="embedded shelf: a backup taken under load, kill -9, restored",
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
