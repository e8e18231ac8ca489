"""Kills the service `users` around each append of its process and its connector; checks what it left."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from support.counter_context import everything
from support.crashing_log import open_log
from support.process import ROOT, environment
from support.registration_program import STEPS, TOPICS

from bookshelf.accounts.events import TOPIC

#: Runs that are enough for every append to be hit.
_MOST = 60


class Killed(NamedTuple):
    """What the kills at one point did. `ready_s`: seconds of the run that came to rest."""

    kills: int
    acknowledged: int
    lost: int
    doubled: int
    ready_s: float


def _run(folder: Path, point: str, broker: str) -> int:
    """Run the program; return its code, which is below 0 if a signal has ended it."""
    command = [sys.executable, "-m", "support.registration_program", str(folder), point, broker]
    paths = {"PYTHONPATH": f"{ROOT / 'test'}:{ROOT}"}
    done = subprocess.run(
        command, env=environment(paths), timeout=120, check=False, stdout=subprocess.DEVNULL
    )
    return done.returncode


async def _events(folder: Path, broker: str) -> Counter[str]:
    """Return how often each type of event is in the log."""
    async with open_log(folder, TOPICS, broker) as log:
        return Counter(str(json.loads(record.value)["type"]) for record in await everything(log, TOPIC))


def count_events(folder: Path, broker: str = "") -> Counter[str]:
    """Run the program without a kill; return how often each type of event is in its log."""
    assert _run(folder, "never", broker) == 0
    return asyncio.run(_events(folder, broker))


def kill_registration(folder: Path, point: str, expected: Counter[str], broker: str = "") -> Killed:
    """Run the program as long as it is killed; compare its events with those of a run without kills."""
    codes: list[int] = []
    while len(codes) < _MOST and (not codes or codes[-1] == -signal.SIGKILL):
        began = time.monotonic()
        codes.append(_run(folder, point, broker))
    ready_s = time.monotonic() - began
    assert codes[-1] == 0, codes
    found = asyncio.run(_events(folder, broker))
    answered = [file.name.removeprefix("answered-") for file in folder.glob("answered-*")]
    assert sorted(answered) == sorted(STEPS)
    lost, doubled = (expected - found).total(), (found - expected).total()
    return Killed(len(codes) - 1, len(STEPS), lost, doubled, ready_s)
