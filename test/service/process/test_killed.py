"""A program that is killed -9 before and after each append of its process or connector works exactly once."""

from pathlib import Path

import pytest
from support.stall_kills import check, kill_around_appends
from support.stall_program import ORDERS


@pytest.mark.parametrize("point", ["before", "after"])
def test_killed_around_each_append_it_carries_out_each_command_once(tmp_path: Path, point: str) -> None:
    codes = kill_around_appends(tmp_path, point)
    assert codes[-1] == 0
    assert len(codes) > len(ORDERS)  # holds, answers and ends are three appends at least
    check(tmp_path)
