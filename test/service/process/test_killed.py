"""A program that is killed -9 before and after each append of its process carries out each command once."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.process import ROOT, environment
from support.stall_program import ORDERS
from support.stall_run import Folded, folded

from bookshelf.log.sqlite.log import SqliteLog

MOST = 30


def run(folder: Path, point: str) -> int:
    """Run the program; return its code, which is below 0 if a signal has ended it."""
    command = [sys.executable, "-m", "support.stall_program", str(folder), point]
    paths = {"PYTHONPATH": f"{ROOT / 'test'}:{ROOT}"}
    return subprocess.run(command, env=environment(paths), timeout=120, check=False).returncode


@pytest.mark.parametrize("point", ["before", "after"])
def test_killed_around_each_append_it_carries_out_each_command_once(tmp_path: Path, point: str) -> None:
    codes: list[int] = []
    while len(codes) < MOST and (not codes or codes[-1] == -signal.SIGKILL):
        codes.append(run(tmp_path, point))
    assert codes[-1] == 0
    assert len(codes) > len(ORDERS)  # holds, answers and ends are three appends at least
    assert run(tmp_path, "never") == 0
    found = asyncio.run(states(tmp_path))
    assert sorted(found.ends.values()) == ["approved", "canceled"]
    assert found.orders.keys() == set(ORDERS)
    assert (found.stocks["tea"].sold, found.stocks["cup"].sold) == (1, 1)
    # supplied 2, placed 2, held or refused 4, answered 4, ended 2, sold 2, released 1
    assert len(found.events) == 17


async def states(folder: Path) -> Folded:
    log = await SqliteLog.open(folder / "log.sqlite", 1)
    try:
        return await folded(log)
    finally:
        await log.close()
