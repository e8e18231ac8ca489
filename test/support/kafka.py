"""A real Kafka broker on free ports: once for a run of the tests, killed and started anew by some."""

import asyncio
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from support.kafka_config import SETTINGS
from support.kafka_files import (
    archiving,
    certificate,
    java,
    missing_archive,
)
from support.process import send
from support.reserved_ports import reserved_ports
from support.until import until

HOST = "127.0.0.1"
#: Seconds that a broker may take to answer, on a machine that does much else.
_READY_S = 180.0

Ports = list[int]


def free_ports(count: int) -> Ports:
    """Return ports that nothing listens on, and that stay free until they are listened on."""
    return reserved_ports(count)


class Broker:
    """One broker of a cluster, from `start` to `stop`. Its address stays when it is started again."""

    def __init__(self, folder: Path, node: int, ports: Ports, voters: str, more: Mapping[str, str]) -> None:
        self.folder = folder
        self.port, self.secure_port, controller = ports
        self.node = node
        store, self.trusted = certificate()
        listeners = f"PLAINTEXT://{HOST}:{self.port},SASL_SSL://{HOST}:{self.secure_port},CONTROLLER://{HOST}:{controller}"
        settings = {
            **SETTINGS,
            "node.id": str(node),
            "listeners": listeners,
            "controller.quorum.voters": voters,
            "log.dirs": str(folder / "data"),
            "ssl.keystore.location": str(store),
            **more,
        }
        folder.mkdir(parents=True)
        self._config = folder / "server.properties"
        self._config.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"{HOST}:{self.port}"

    @property
    def secure_address(self) -> str:
        """Where clients find it by TLS and with a password."""
        return f"{HOST}:{self.secure_port}"

    def format(self, cluster: str) -> None:
        """Make its data folder."""
        tool = java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._config))
        subprocess.run(tool, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=_READY_S)

    def launch(self, archive: Path | None = None) -> None:
        """Start the process, and do not wait for it."""
        command = java("kafka.Kafka", str(self._config))
        if archive is not None:
            command = archiving(command, archive)
        # when these tests are killed, so is the broker: with the thread that launched it, so not from a pool
        if shutil.which("setpriv"):
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,
            )

    def ready(self) -> None:
        """Wait until it answers; an AssertionError with the end of its log if it ends before."""
        process = self._process
        assert process is not None
        until(lambda: self._answers() or process.poll() is not None, "the broker answers", _READY_S)
        assert process.poll() is None, (self.folder / "broker.log").read_text()[-4000:]

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection((HOST, self.port), 1):
            return True
        return False

    def start(self) -> None:
        """Start it, again if it was stopped or killed, and wait until it answers."""
        self.launch()
        self.ready()

    async def again(self) -> None:
        """Start it again, while others have their turns."""
        self.launch()
        await asyncio.to_thread(self.ready)

    def send(self, number: int) -> None:
        """Send its process a signal: SIGSTOP makes it hang, SIGCONT go on."""
        assert self._process is not None
        send(self._process, number)

    def kill(self) -> None:
        """Kill it as a power cut would."""
        self.stop(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it and wait for that; stopping twice is stopping."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(_READY_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@contextmanager
def brokers(folder: Path, count: int = 1, ports: Ports | None = None, **more: str) -> Iterator[list[Broker]]:
    """Run a cluster of its own. `ports`: the first broker's; `more`: settings, with __ for each point."""
    with missing_archive() as archive:
        if archive is not None:
            with _running(folder / "archiving", [free_ports(3)], {}, archive):
                pass
    chosen = [ports or free_ports(3), *(free_ports(3) for _ in range(count - 1))]
    settings = {name.replace("__", "."): value for name, value in more.items()}
    with _running(folder / "brokers", chosen, settings) as found:
        yield found


@contextmanager
def _running(
    folder: Path, ports: list[Ports], more: Mapping[str, str], archive: Path | None = None
) -> Iterator[list[Broker]]:
    voters = ",".join(f"{node}@{HOST}:{of[2]}" for node, of in enumerate(ports, 1))
    replicas = min(len(ports), 3)
    inner = {
        "offsets.topic.replication.factor": str(replicas),
        "transaction.state.log.replication.factor": str(replicas),
        "transaction.state.log.min.isr": str(max(1, replicas - 1)),
    }
    cluster = uuid4().hex[:22]
    made = [Broker(folder / str(n), n, of, voters, {**inner, **more}) for n, of in enumerate(ports, 1)]
    try:
        for broker in made:
            broker.format(cluster)
            broker.launch(archive)
        for broker in made:
            broker.ready()
        yield made
    finally:
        for broker in made:
            broker.stop(signal.SIGTERM if archive else signal.SIGKILL)
