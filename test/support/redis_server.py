"""A real Redis of one test, where the machine has one."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.until import until
from support.upstream import HOST

from bookshelf.http.server import free_port

REMEDY = "sudo apt-get install -y redis-server"


def available() -> str | None:
    """Return the program; None if there is none."""
    return shutil.which("redis-server")


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Run a server that keeps nothing; yield its URL."""
    port, log = free_port(), folder / "redis.log"
    arguments = ("--port", str(port), "--bind", HOST, "--save", "", "--dir", str(folder))
    program = str(available())
    with log.open("wb") as output, subprocess.Popen([program, *arguments], stdout=output) as process:
        try:
            until(lambda: b"Ready to accept connections" in log.read_bytes(), "Redis is ready")
            yield f"redis://{HOST}:{port}"
        finally:
            process.terminate()
