"""moto's server of S3 on a free loopback port, in its own process; each test makes its own buckets."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from support.kafka import HOST, free_ports
from support.until import until

REMEDY = "pip install 'moto[server]>=5.2' obstore"
#: What S3 clients read; any key is right for moto.
CREDENTIALS: Mapping[str, str] = {
    "AWS_ACCESS_KEY_ID": "a-test-key",
    "AWS_SECRET_ACCESS_KEY": "a-test-secret",
    "AWS_REGION": "us-east-1",
}
_PATIENCE_S = 60.0


def available() -> bool:
    """Whether a server can be started."""
    return find_spec("moto") is not None and find_spec("obstore") is not None


class S3Server:
    """One server, which has nothing left once it is stopped. Its port stays."""

    def __init__(self, log: Path) -> None:
        [self._port] = free_ports(1)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://{HOST}:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = "from moto.server import main; main()"
        command = [sys.executable, "-c", program, "-H", HOST, "-p", str(self._port)]
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **CREDENTIALS},
            )
        self._process = process
        until(lambda: self._answers() or process.poll() is not None, "moto answers", _PATIENCE_S)
        assert process.poll() is None, self._log.read_text()[-4000:]

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/moto-api/") == 200
        except (OSError, HTTPException):
            return False

    def ask(self, method: str, path: str) -> int:
        """Send a request without a body; return the status."""
        connection = HTTPConnection(HOST, self._port, timeout=10)
        try:
            connection.request(method, path)
            return connection.getresponse().status
        finally:
            connection.close()

    def new_bucket(self) -> str:
        """Make a bucket; return its name."""
        name = f"test-{uuid4().hex}"
        assert self.ask("PUT", f"/{name}") == 200
        return name

    def signal(self, number: signal.Signals) -> None:
        """Send its process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """Kill it; there is nothing that it should keep."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """Run a server until the block ends."""
    server = S3Server(folder / "moto.log")
    try:
        server.start()
        yield server
    finally:
        server.stop()
