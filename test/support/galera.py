"""Real Galera clusters, as `bookshelf dev mariadb` runs them."""

import json
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from support.process import COMMAND, bookshelf, environment
from support.until import until

_SHM = Path("/dev/shm")  # noqa: S108 (a folder with a random name is made in it)
#: Seconds that three nodes may take to start or to end, on a machine that does much else.
_PATIENCE_S = 120.0


COUNT = "SELECT COUNT(*) FROM bookshelf_step.step"
_STEP = """
CREATE DATABASE IF NOT EXISTS bookshelf_step;
CREATE TABLE IF NOT EXISTS bookshelf_step.step (number INT PRIMARY KEY AUTO_INCREMENT);
INSERT INTO bookshelf_step.step VALUES ();
"""


class GaleraCluster:
    """A running `bookshelf dev mariadb`, and what its nodes are asked to do."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]") -> None:
        self.folder = folder
        self.process = process

    def command(self, *options: str) -> dict[str, Any]:
        """Run the command again with options; return what it prints."""
        done = bookshelf("dev", "mariadb", "--folder", self.folder, "--json", *options)
        found: dict[str, Any] = json.loads(done.well)
        return found

    def url(self, database: str, *first: int) -> str:
        """Return the setting `storage` for another database; of these nodes only, if they are given."""
        whole = self.command("--status")
        who = whole["storage"].rpartition("@")[0]
        ports = {node["number"]: node["port"] for node in whole["nodes"]}
        hosts = ",".join(f"127.0.0.1:{ports[number]}" for number in first or sorted(ports))
        return f"{who}@{hosts}/{database}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """Return a name of databases for one test, and drop them at the end."""
        name = f"bookshelf_{uuid4().hex[:12]}"
        try:
            yield name
        finally:
            listed = self.run(
                1,
                f"SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '{name}%'",  # noqa: S608 (a name of our own)
            )
            self.run(1, "".join(f"DROP DATABASE `{found}`;" for found in listed.split()) or "SELECT 1")

    def run(self, number: int, statements: str) -> str:
        """Run statements on a node as the superuser."""
        socket = self.folder / f"node{number}" / "socket"
        asked = ["mariadb", "--no-defaults", "-N", f"--socket={socket}", "-e", statements]
        found = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=_PATIENCE_S)
        return found.stdout

    def pid(self, number: int) -> int:
        """Return the process of a node that runs."""
        found: int = self._node(number)["pid"]
        return found

    def state(self, number: int) -> str:
        """Return the state of a node in its cluster."""
        found: str = self._node(number)["state"]
        return found

    def _node(self, number: int) -> dict[str, Any]:
        [found] = [node for node in self.command("--status")["nodes"] if node["number"] == number]
        return dict(found)

    def rows(self) -> str:
        """Return an answer of the first node, after it has changed a row."""
        return self.run(1, _STEP + COUNT)

    def number_at(self, port: int) -> int:
        """Return the number of the node with a port."""
        [found] = [node["number"] for node in self.command("--status")["nodes"] if node["port"] == port]
        return int(found)

    def kill(self, number: int) -> None:
        """End a node by SIGKILL."""
        self.command("--kill", str(number))

    def start(self, number: int) -> None:
        """Start a node again."""
        self.command("--start", str(number))

    def whole(self) -> None:
        """Start what has ended, and wait until every node has all rows."""
        for node in self.command("--status")["nodes"]:
            if node["pid"] is None:
                self.start(node["number"])
        until(self._is_whole, "every node has all rows", _PATIENCE_S)

    def _is_whole(self) -> bool:
        return all(node["state"] == "Synced" for node in self.command("--status")["nodes"])


@contextmanager
def background(ask: Callable[[], str]) -> Iterator[list[str]]:
    """Ask again and again in a thread, until the end of the block; yield the answers so far."""
    answers: list[str] = []
    ending = threading.Event()

    def run() -> None:
        while not ending.is_set():
            answers.append(ask())
            time.sleep(0.02)  # sleep: leaves time for others

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield answers
    finally:
        ending.set()
        thread.join()


@contextmanager
def folder_of_servers() -> Iterator[Path]:
    """Return a folder that servers of another user can reach; in memory, if there is room."""
    in_memory = str(_SHM) if _SHM.is_dir() and shutil.disk_usage(_SHM).free > 2 << 30 else None
    with tempfile.TemporaryDirectory(
        prefix="bookshelf-galera-", dir=in_memory, ignore_cleanup_errors=True
    ) as made:
        Path(made).chmod(0o711)
        yield Path(made)


@contextmanager
def galera(nodes: int = 3, folder: Path | None = None) -> Iterator[GaleraCluster]:
    """Run a cluster that is ended at the end, and its folder removed unless it was given."""
    with folder_of_servers() as made:
        place = folder or made
        command = [*COMMAND, "dev", "mariadb", "--nodes", str(nodes), "--folder", str(place), "--json"]
        process = subprocess.Popen(
            command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        try:
            assert process.stdout.readline(), "the cluster has not started"
            yield GaleraCluster(place, process)
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            process.wait(_PATIENCE_S)
            process.stdout.close()
