"""A worker process for pictures: reads jobs from standard input, answers on standard output, one line each.

It sets its own limits before it reads a job: memory, size of files, and processor time anew for each job. A
decoder that crashes, loops or needs too much memory ends this process alone.
"""

import os
import resource
import sys
from pathlib import Path

import msgspec

from bookshelf.media.conversion import convert_picture
from bookshelf.media.job import JobResult, PictureJob
from bookshelf.media.port import PictureRefused

#: Bytes of memory and of a file; seconds of processor time for each job.
MEMORY = 1 << 30
FILE = 64 << 20
CPU_S = 20
#: How much less urgent it is than the services.
_NICE = 10


def main() -> None:
    """Work until standard input ends."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    read = msgspec.json.Decoder(PictureJob).decode
    for line in sys.stdin.buffer:
        _limit_processor_time()
        result = _work(read(line))
        sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
        sys.stdout.buffer.flush()


def _limit_processor_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + CPU_S, hard))


def _work(job: PictureJob) -> JobResult:
    try:
        return JobResult(picture=convert_picture(Path(job.path), job.limits))
    except PictureRefused as refusal:
        return JobResult(kind=refusal.kind, detail=str(refusal))


if __name__ == "__main__":
    main()
