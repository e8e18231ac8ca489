"""Kills the stall's program around each append of its process and its connector, and checks what it left."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from support.charging import CHARGING_TOPICS
from support.crashing_log import open_log
from support.process import ROOT, environment
from support.stall_program import ORDERS
from support.stall_run import Folded, folded

#: Runs that are enough for every append to be hit.
MOST = 40


def run(folder: Path, point: str, broker: str = "") -> int:
    """Run the program; return its code, which is below 0 if a signal has ended it."""
    command = [sys.executable, "-m", "support.stall_program", str(folder), point, broker]
    paths = {"PYTHONPATH": f"{ROOT / 'test'}:{ROOT}"}
    return subprocess.run(command, env=environment(paths), timeout=120, check=False).returncode


def kill_around_appends(folder: Path, point: str, broker: str = "", most: int = MOST) -> list[int]:
    """Run the program up to so many times, as long as it is killed; then once more to its end.

    Return the codes.
    """
    codes: list[int] = []
    while len(codes) < most and (not codes or codes[-1] == -signal.SIGKILL):
        codes.append(run(folder, point, broker))
    assert run(folder, "never", broker) == 0
    return codes


async def _states(folder: Path, broker: str) -> Folded:
    async with open_log(folder, CHARGING_TOPICS, broker) as log:
        return await folded(log)


def check(folder: Path, broker: str = "") -> None:
    """Check that each command was carried out once, and that the card was charged for each approved order."""
    found = asyncio.run(_states(folder, broker))
    assert sorted(found.ends.values()) == ["approved", "canceled"]
    assert found.orders.keys() == set(ORDERS)
    assert (found.stocks["tea"].sold, found.stocks["cup"].sold) == (1, 1)
    payments = [f"charge-{receipt}" for order in found.orders.values() for receipt in order.payments]
    assert payments == [file.name for file in folder.glob("charge-*")]
    # supplied 2, placed 2, held or refused 4, answered 4, ended 2, sold 2, released 1, paid 1
    assert len(found.events) == 18
