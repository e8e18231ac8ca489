"""One instance of a service, or a gateway, as a real process."""

import re
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from support.process import ROOT, environment
from support.until import until

#: Seconds that a start, or an orderly end, may take on a machine that does much else.
PATIENCE_S = 240.0
_PATH = f"{ROOT}:{ROOT / 'test'}"
_READY = re.compile(r"ready at http://127\.0\.0\.1:(\d+)")


class Member:
    """One process; its output is in files of its name. It is killed with the tests."""

    def __init__(
        self, folder: Path, service: str, name: str, command: Sequence[str], settings: Mapping[str, str]
    ) -> None:
        self.service = service
        self.name = name
        self._out = folder / f"{name}.out"
        self._err = folder / f"{name}.log"
        # setpriv becomes the program: the process id is the program's own
        tied = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
        with self._out.open("wb") as out, self._err.open("ab") as err:
            self._process = subprocess.Popen(
                [*tied, *command],
                env=environment({"BOOKSHELF_LOG_FORMAT": "json", "PYTHONPATH": _PATH, **settings}),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    @property
    def port(self) -> int | None:
        """Where it listens, once it is ready."""
        found = _READY.search(self._out.read_text())
        return int(found[1]) if found else None

    @property
    def complaints(self) -> str:
        """What it has logged, in all its lives."""
        return self._err.read_text(errors="replace")

    def ready(self) -> None:
        """Wait until it logs that it is ready."""
        until(lambda: self.port or not self.alive, f"{self.name} is ready", PATIENCE_S)
        assert self.alive, f"{self.name} has ended: {self.complaints[-3000:]}"

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it -9, even if it is stopped, and wait until it is gone."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        with suppress(ProcessLookupError):
            self.send(signal.SIGTERM)
        return self._process.wait(PATIENCE_S)
