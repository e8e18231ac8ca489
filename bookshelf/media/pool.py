"""The pool of worker processes for pictures. A process starts with the first picture that needs it."""

import asyncio
import contextlib
import math
import os
import sys
from collections import deque
from pathlib import Path

import msgspec
import structlog

from bookshelf.media.job import STORAGE, Job, JobResult, PhotoJob, PictureJob
from bookshelf.media.port import (
    ConvertedPicture,
    MadePhoto,
    NotStored,
    PhotoLimits,
    PictureLimits,
    PictureRefused,
    PicturesBusy,
)

#: Seconds that one picture may take by the clock; pictures after which a process is replaced.
WITHIN_S = 15.0
PICTURES_EACH = 200
#: Pictures that may wait for a process.
MAX_WAITING = 64
#: The most bytes of one answer: renditions, in base64.
_ANSWER = 64 << 20
_COMMAND = (sys.executable, "-I", "-m", "bookshelf.media.worker")
_logger = structlog.get_logger(__name__)
_encode = msgspec.json.Encoder().encode
_read_result = msgspec.json.Decoder(JobResult).decode


class _Worker:
    """One worker process. `done`: the pictures that it has converted."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.done = 0

    async def ask(self, job: Job) -> JobResult | None:
        """Return the result of a job; None if the process has ended without one."""
        writer, reader = self._process.stdin, self._process.stdout
        assert writer is not None and reader is not None  # noqa: PT018, S101 (it was started with pipes)
        with contextlib.suppress(ConnectionError):
            writer.write(_encode(job) + b"\n")
            await writer.drain()
        try:
            line = await reader.readline()
        except ValueError:  # an answer over the limit
            return None
        self.done += 1
        return _read_result(line) if line.endswith(b"\n") else None

    @property
    def processor_s(self) -> float:
        """The seconds of processor time that it has used; infinite where it cannot be read."""
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return math.inf
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # proc_pid_stat(5): 14 and 15

    async def end(self) -> None:
        """End the process, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()


class PictureWorkers:
    """Converts pictures in child processes (`Pictures`): `count` at once, by default one less than cores."""

    def __init__(
        self,
        count: int | None = None,
        *,
        within_s: float = WITHIN_S,
        pictures_each: int = PICTURES_EACH,
        most_waiting: int = MAX_WAITING,
        command: tuple[str, ...] = _COMMAND,
    ) -> None:
        self._count = count or max(1, (os.cpu_count() or 1) - 1)
        self._within_s = within_s
        self._pictures_each = pictures_each
        self._most_waiting = most_waiting
        self._command = command
        self._places = asyncio.Semaphore(self._count)
        self._waiting = 0
        self._idle: deque[_Worker] = deque()

    async def convert(self, path: Path, limits: PictureLimits) -> ConvertedPicture:
        """Return the renditions of a file. Raises `PictureRefused`, `PicturesBusy`."""
        result = await self._result(PictureJob(str(path), limits))
        if result.picture is None:
            raise PictureRefused(result.kind, result.detail)
        return result.picture

    async def make_photo(self, path: Path, into: Path, limits: PhotoLimits) -> MadePhoto:
        """Write the images of a photo into a folder. Raises `PictureRefused`, `PicturesBusy`, `NotStored`."""
        result = await self._result(PhotoJob(str(path), str(into), limits))
        if result.kind == STORAGE:
            raise NotStored(result.detail)
        if result.photo is None:
            raise PictureRefused(result.kind, result.detail)
        return result.photo

    async def _result(self, job: Job) -> JobResult:
        if self._waiting >= self._most_waiting:
            raise PicturesBusy("many pictures are waiting; try again in a moment")
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            result = await self._run(job)
        finally:
            self._places.release()
        if result is None:
            raise PictureRefused("unreadable", "cannot be decoded within the limits of time and memory")
        return result

    async def close(self) -> None:
        """End all processes."""
        while self._idle:
            await self._idle.pop().end()

    async def _run(self, job: Job) -> JobResult | None:
        if self._idle:
            result, in_time = await self._ask(self._idle.pop(), job)
            if result is not None or not in_time:
                return result
            # it may have ended while it was idle, which is no fault of the picture
        result, _ = await self._ask(await self._start(), job)
        return result

    async def _ask(self, worker: _Worker, job: Job) -> tuple[JobResult | None, bool]:
        """Return the result of a job, None without one, and whether the process had the time for it."""
        result, in_time = None, True
        began_s = worker.processor_s
        try:
            async with asyncio.timeout(self._within_s):
                result = await worker.ask(job)
        except TimeoutError:
            in_time = False
            if worker.processor_s - began_s < self._within_s / 2:  # no fault of the picture
                raise PicturesBusy("the machine is too busy for pictures; try again in a moment") from None
        finally:
            if result is None or worker.done >= self._pictures_each:
                await worker.end()
            else:
                self._idle.append(worker)
        if result is None:
            _logger.warning("picture-worker-ended", within_s=self._within_s)
        return result, in_time

    async def _start(self) -> _Worker:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_ANSWER,
        )
        return _Worker(process)
