"""The pool of picture workers: what a picture may cost, and what happens to one that costs more."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.pictures import GOOD, UNREADABLE, encoded, png

from bookshelf.media.pool import PictureWorkers
from bookshelf.media.port import PictureLimits, PictureRefused, PicturesBusy

DEADLINE_S = 60
LIMITS = PictureLimits()
HANGS = "import signal; signal.pause()"
#: Refuses every picture with the number of its process.
NUMBERED = """
import os, sys
for line in sys.stdin:
    print('{"kind": "unreadable", "detail": "%d"}' % os.getpid(), flush=True)
"""


@pytest.fixture
async def workers() -> AsyncIterator[PictureWorkers]:
    made = PictureWorkers(1)
    yield made
    await made.close()


def file(tmp_path: Path, content: bytes) -> Path:
    (path := tmp_path / "upload").write_bytes(content)
    return path


async def test_a_picture_is_converted_in_a_process_that_is_used_again(
    workers: PictureWorkers, tmp_path: Path
) -> None:
    path = file(tmp_path, encoded(GOOD, "JPEG"))
    async with asyncio.timeout(DEADLINE_S):
        first, second = await asyncio.gather(*(workers.convert(path, LIMITS) for _ in range(2)))
    assert first == second
    assert (first.width, first.height) == (300, 450)


async def test_a_refusal_comes_with_its_reason_and_the_process_goes_on(
    workers: PictureWorkers, tmp_path: Path
) -> None:
    async with asyncio.timeout(DEADLINE_S):
        for content in UNREADABLE.values():
            with pytest.raises(PictureRefused):
                await workers.convert(file(tmp_path, content), LIMITS)
        assert (await workers.convert(file(tmp_path, encoded(GOOD, "PNG")), LIMITS)).width == 300


async def test_a_picture_that_needs_too_much_memory_is_refused(
    workers: PictureWorkers, tmp_path: Path
) -> None:
    """With larger limits of pixels than any caller has, only the limit of memory is left."""
    bomb = file(tmp_path, png(30_000, 30_000, bytes(90_000 * 400)))
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(PictureRefused) as refusal:
            await workers.convert(bomb, PictureLimits(pixels=10**9, side=10**6))
        assert refusal.value.kind == "unreadable"
        assert (await workers.convert(file(tmp_path, encoded(GOOD, "PNG")), LIMITS)).width == 300


async def test_each_picture_has_a_limit_of_memory_of_its_own(workers: PictureWorkers, tmp_path: Path) -> None:
    path = file(tmp_path, png(4_000, 4_000, bytes(4_000 * 12_001)))
    async with asyncio.timeout(DEADLINE_S):
        with pytest.raises(PictureRefused):
            await workers.convert(path, PictureLimits(memory=64 << 20))
        assert (await workers.convert(path, LIMITS)).width == 480


@pytest.mark.parametrize(
    "program",
    [
        "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (1, 1))\nwhile True: pass",
        "raise SystemExit(1)",
        "import os; os.kill(os.getpid(), 11)",
        "print('half', end='')",
    ],
    ids=["loops", "ends", "crashes", "answers half a line"],
)
async def test_a_process_that_gives_no_answer_is_replaced(tmp_path: Path, program: str) -> None:
    failing = PictureWorkers(1, within_s=DEADLINE_S, command=(sys.executable, "-c", program))
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(2):
            with pytest.raises(PictureRefused, match="within the limits of time and memory"):
                await failing.convert(tmp_path, LIMITS)
        await failing.close()


async def test_a_process_that_got_no_processor_time_is_no_fault_of_the_picture(tmp_path: Path) -> None:
    idle = PictureWorkers(1, within_s=1.0, command=(sys.executable, "-c", "import time; time.sleep(3600)"))
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(2):
            with pytest.raises(PicturesBusy):
                await idle.convert(tmp_path, LIMITS)
        await idle.close()


async def test_more_waiting_pictures_than_the_limit_are_busy(tmp_path: Path) -> None:
    hanging = PictureWorkers(
        1, most_waiting=2, command=(sys.executable, "-c", "import time; time.sleep(3600)")
    )
    running = [asyncio.ensure_future(hanging.convert(tmp_path, LIMITS)) for _ in range(3)]
    await asyncio.sleep(0)  # sleep: each of them takes its place, or begins to wait
    with pytest.raises(PicturesBusy):
        await hanging.convert(tmp_path, LIMITS)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await hanging.close()


async def test_a_process_is_replaced_after_its_share_of_pictures(tmp_path: Path) -> None:
    counted = PictureWorkers(1, pictures_each=2, command=(sys.executable, "-c", NUMBERED))
    seen = []
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(4):
            with pytest.raises(PictureRefused) as refusal:
                await counted.convert(tmp_path, LIMITS)
            seen.append(str(refusal.value))
        await counted.close()
    assert seen[0] == seen[1] != seen[2] == seen[3]


async def test_a_process_that_ends_while_it_is_idle_costs_no_picture(tmp_path: Path) -> None:
    counted = PictureWorkers(1, command=(sys.executable, "-c", NUMBERED))
    seen = []
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(2):
            with pytest.raises(PictureRefused) as refusal:
                await counted.convert(tmp_path, LIMITS)
            seen.append(int(str(refusal.value)))
            os.kill(seen[-1], signal.SIGKILL)
        await counted.close()
    assert seen[0] != seen[1]
