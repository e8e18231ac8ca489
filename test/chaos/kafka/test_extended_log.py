"""A restored and extended log of the embedded shelf: its row is in the same table."""

from pathlib import Path

import pytest
from chaos.extended_log import restore_and_extend
from chaos.kafka.result_table import Row, row_of
from chaos.kafka.trial import ROUNDS, seeded_random

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


def test_restored_and_extended_logs_lose_and_double_nothing(tmp_path: Path, table: list[Row]) -> None:
    random = seeded_random("extended-log")
    played = [restore_and_extend(tmp_path / str(number), random) for number in range(ROUNDS)]
    row = row_of("its log restored to an earlier point and extended", played)
    assert (row.lost, row.doubled) == (0, 0), row
    table.append(row)
