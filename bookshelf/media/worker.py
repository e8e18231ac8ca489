"""A worker process for pictures: reads jobs from standard input, answers on standard output, one line each.

It sets its own limits before it does a job: the size of files, and memory and processor time as the job
allows. A decoder that crashes, loops or needs too much memory ends this process alone.
"""

import os
import resource
import sys
from pathlib import Path

import msgspec

from bookshelf.media.conversion import convert_picture
from bookshelf.media.job import STORAGE, Job, JobResult, PhotoJob
from bookshelf.media.photo_conversion import make_photo
from bookshelf.media.port import PictureLimits, PictureRefused

#: The most bytes of a file.
FILE = 64 << 20
#: How much less urgent it is than the services.
_NICE = 10


def main() -> None:
    """Work until standard input ends."""
    os.nice(_NICE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    read = msgspec.json.Decoder(Job).decode
    for line in sys.stdin.buffer:
        job = read(line)
        _limit(job.limits)
        result = _work(job)
        sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
        sys.stdout.buffer.flush()


def _limit(limits: PictureLimits) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    processor_s = int(used.ru_utime + used.ru_stime) + limits.cpu_s
    for kind, most in ((resource.RLIMIT_CPU, processor_s), (resource.RLIMIT_AS, limits.memory)):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most, hard))


def _work(job: Job) -> JobResult:
    try:
        if isinstance(job, PhotoJob):
            return JobResult(photo=make_photo(Path(job.path), Path(job.into), job.limits))
        return JobResult(picture=convert_picture(Path(job.path), job.limits))
    except PictureRefused as refusal:
        return JobResult(kind=refusal.kind, detail=str(refusal))
    except OSError as fault:  # of the images that are written
        return JobResult(kind=STORAGE, detail=fault.strerror or str(fault))


if __name__ == "__main__":
    main()
