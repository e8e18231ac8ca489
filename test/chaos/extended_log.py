"""One log that was restored to an earlier point and extended, under states and rows of the former one."""

import shutil
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

from chaos.expected_state import ExpectedState, check_views
from chaos.writers import WriterGroup
from support.program import Program
from support.until import until

MANY = 50


class Extension(NamedTuple):
    """Commands acknowledged on the log as it is at last, how many of them are missing, how many doubled."""

    acknowledged: int
    lost: int
    doubled: int
    ready_s: float


def restore_and_extend(folder: Path, random: Random) -> Extension:
    """Write, copy the log, write more, kill; extend the copy elsewhere, put it back, and compare."""
    data, elsewhere = folder / "data", folder / "elsewhere"
    kept = _written(data, "kept", random, MANY)
    elsewhere.mkdir()
    shutil.copy(data / "log.sqlite", elsewhere)
    gone = _written(data, "gone", random, MANY, kill=True)
    extended = _written(elsewhere, "extended", random, 2 * MANY)
    for name in ("log.sqlite-wal", "log.sqlite-shm"):
        (data / name).unlink(missing_ok=True)
    shutil.copy(elsewhere / "log.sqlite", data)
    began = time.monotonic()
    with Program(data).ready() as up:
        ready_s = time.monotonic() - began
        expected = ExpectedState(data)
        check_views(up.client, expected)
        assert up.stop().well
    after = _written(data, "after", random, MANY)
    with Program(data).ready() as up:
        expected = ExpectedState(data)
        check_views(up.client, expected)
        assert up.stop().well
    done = [
        one for writer_group in (kept, extended, after) for one in writer_group.attempts if one.acknowledged
    ]
    assert not any(expected.marks[one.mark] for one in gone.attempts)
    return Extension(
        acknowledged=len(done),
        lost=sum(expected.marks[one.mark] == 0 for one in done),
        doubled=sum(expected.marks[one.mark] > 1 for one in done),
        ready_s=ready_s,
    )


def _written(data: Path, name: str, random: Random, least: int, *, kill: bool = False) -> WriterGroup:
    with Program(data).ready() as up, WriterGroup(name, random, [up.client, up.ports]) as writer_group:
        until(lambda: writer_group.acknowledged >= least, f"{least} commands are done")
        if kill:
            up.kill()
        else:
            assert up.stop().well
    return writer_group
