"""A backup of a shelf that runs holds all that was acknowledged before it began."""

from pathlib import Path
from random import Random

import pytest
from chaos.backup import back_up_and_restore

pytestmark = pytest.mark.chaos


def test_a_backup_is_taken_under_load_and_restored_after_a_kill(tmp_path: Path) -> None:
    restoration = back_up_and_restore(tmp_path, Random(7))  # noqa: S311 (no secrets)
    assert restoration.acknowledged >= 50
    assert (restoration.lost, restoration.doubled) == (0, 0)
