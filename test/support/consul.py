"""A real Consul agent on free loopback ports: started, killed, paused, and started again empty.

`python -m support.consul` (make consul) runs one in the foreground, on Consul's own ports.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from support.consul_program import REMEDY, program
from support.process import send
from support.reserved_ports import reserved_ports
from support.until import until

HOST = "127.0.0.1"
#: From where tests import what they share.
ROOT = Path(__file__).resolve().parents[1]
#: Several systems under test live at one address.
_QUIET = "disable_update_check = true limits { http_max_conns_per_client = 1000 }"


class Ports(NamedTuple):
    """Where an agent listens; with 8500 and 8600 as usual, or anywhere."""

    http: int = 8500
    dns: int = 8600
    server: int = 8300
    lan: int = 8301
    wan: int = 8302


def free_ports() -> Ports:
    """Return ports that are free for TCP and UDP."""
    return Ports(*reserved_ports(len(Ports._fields)))


def command(ports: Ports, hcl: str = "") -> list[str]:
    """Return how to start an agent that keeps all in memory, and dies with the thread that started it."""
    found = program()
    assert found is not None, REMEDY
    numbers = zip(("http", "dns", "server", "serf-lan", "serf-wan"), ports, strict=True)
    places = [part for name, port in numbers for part in (f"-{name}-port", str(port))]
    tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    return [
        *(*tied, str(found), "agent", "-dev", "-bind", HOST, "-client", HOST),
        *(*places, "-grpc-port", "-1", "-hcl", f"{_QUIET} {hcl}"),
    ]


class Agent:
    """One agent. It comes back at the same ports, knowing nothing."""

    def __init__(self, folder: Path, hcl: str = "", token: str = "") -> None:
        self.ports = free_ports()
        self._hcl = hcl
        self._token = token
        self._log = folder / f"consul-{self.ports.http}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return once it has a leader and its own node in the catalogue."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command(self.ports, self._hcl), stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._ready, f"the agent is ready; its log is {self._log}")

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        try:
            return bool(self.get("/v1/health/state/passing"))
        except (OSError, HTTPException, ValueError):
            return False

    def kill(self) -> None:
        """Kill it -9, and return once it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it from running; it keeps its connections and answers nothing."""
        assert self._process is not None
        send(self._process, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def get(self, path: str) -> Any:  # noqa: ANN401 (any JSON)
        """Ask it as anybody would."""
        return json.loads(self.ask("GET", path))

    def tell(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401 (any JSON)
        """Send a request to the agent, and return the body of its response."""
        return json.loads(self.ask(method, path, body))

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        """Ask it, or have it do something. Raises OSError, ValueError for any answer but 200."""
        connection = HTTPConnection(HOST, self.ports.http, timeout=5)
        try:
            sent = None if body is None else json.dumps(body).encode()
            connection.request(method, path, sent, {"X-Consul-Token": self._token} if self._token else {})
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"{answer.status} {said.decode(errors='replace')}")
        return said

    def clear(self) -> None:
        """Forget every service."""
        for instance_id in self.get("/v1/agent/services"):
            self.ask("PUT", f"/v1/agent/service/deregister/{instance_id}")


@contextmanager
def running(hcl: str = "", token: str = "") -> Iterator[Agent]:
    """Run an agent that is killed at the end."""
    with tempfile.TemporaryDirectory(prefix="consul-") as folder:
        agent = Agent(Path(folder), hcl, token)
        try:
            agent.start()
            yield agent
        finally:
            agent.kill()


def main() -> None:
    """Become an agent."""
    if program() is None:
        sys.exit(f"consul is missing: {REMEDY}")
    run = command(Ports())
    os.execvp(run[0], run)  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    main()
