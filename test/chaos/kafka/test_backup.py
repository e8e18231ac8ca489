"""A backup is of the embedded log: its row is in the same table."""

from pathlib import Path

import pytest
from chaos.backup import back_up_and_restore
from chaos.kafka.result_table import Row, row_of
from chaos.kafka.trial import ROUNDS, seeded_random

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


def test_backups_under_load_are_restored_without_loss(tmp_path: Path, table: list[Row]) -> None:
    random = seeded_random("backup")
    played = [back_up_and_restore(tmp_path / str(number), random) for number in range(ROUNDS)]
    row = row_of("a backup taken under load, kill -9, restored", played)
    assert (row.lost, row.doubled) == (0, 0), row
    table.append(row)
