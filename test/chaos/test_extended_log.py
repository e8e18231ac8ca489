"""States and rows of a log that was restored and extended are those of the log that is there."""

from pathlib import Path
from random import Random

import pytest
from chaos.extended_log import restore_and_extend

pytestmark = [pytest.mark.chaos, pytest.mark.slow]


def test_states_and_rows_follow_a_restored_and_extended_log(tmp_path: Path) -> None:
    extension = restore_and_extend(tmp_path, Random(10))  # noqa: S311 (no secrets)
    assert (extension.lost, extension.doubled) == (0, 0)
