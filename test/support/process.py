"""The real program as a process: any of its commands, run to its end or meanwhile."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "bookshelf")
_BENCH = (sys.executable, "-m", "bench")
#: In place of the user's own data folders.
_DATA_HOME = tempfile.TemporaryDirectory()
#: Seconds that any command may take before it counts as hung.
DEADLINE_S = 120.0


class Ended(NamedTuple):
    """What a process left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def complaint(self) -> str:
        """The one line with a fault that the user can correct; else an AssertionError."""
        assert self.code == 2, self
        assert self.err.startswith("bookshelf: "), self
        assert self.err.count("\n") == 1, self
        assert self.err.endswith("\n"), self
        assert "Traceback" not in self.err + self.out, self
        return self.err.strip()

    @property
    def well(self) -> str:
        """What it printed, of a process that ended well; an AssertionError if it did not."""
        assert self.code == 0, self
        assert "Traceback" not in self.err + self.out, self
        return self.out


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without settings of the program, and with `more`."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("BOOKSHELF_")}
    return {**own, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": _DATA_HOME.name, **(more or {})}


def bookshelf(*args: str | Path, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command of the program to its end."""
    return _run(COMMAND, args, env)


def bench(*args: str | Path, env: Mapping[str, str] | None = None) -> Ended:
    """Run `python -m bench` to its end."""
    return _run(_BENCH, args, env)


def _run(command: Sequence[str], args: Sequence[str | Path], env: Mapping[str, str] | None) -> Ended:
    done = subprocess.run(
        [*command, *map(str, args)],
        env=environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def send(process: "subprocess.Popen[bytes]", number: int) -> None:
    """Send a process a signal; return once SIGSTOP has stopped all its threads."""
    process.send_signal(number)
    if number == signal.SIGSTOP:
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


class Process:
    """A command of the program that runs meanwhile; whatever is left of it is killed at the end."""

    def __init__(
        self, *args: str | Path, env: Mapping[str, str] | None = None, program: str = "bookshelf"
    ) -> None:
        self._out: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 (read once the process has ended)
        self._err: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115 (as above)
        self._ended: Ended | None = None
        self._process = subprocess.Popen(
            [sys.executable, "-m", program, *map(str, args)],
            env=environment(env),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
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
    def printed(self) -> str:
        """What it has printed so far."""
        return os.pread(self._out.fileno(), 1 << 20, 0).decode()

    @property
    def warned(self) -> str:
        """Its standard error so far."""
        return os.pread(self._err.fileno(), 1 << 20, 0).decode()

    def send(self, number: int) -> None:
        """Send it a signal."""
        send(self._process, number)

    def ended(self) -> Ended:
        """Wait for its end, and return what it left."""
        if self._ended is None:
            code = self._process.wait(DEADLINE_S)
            with self._out as out, self._err as err:
                out.seek(0)
                err.seek(0)
                self._ended = Ended(code, out.read(), err.read())
        return self._ended

    def stop(self, number: int = signal.SIGTERM) -> Ended:
        """Ask it to end, and wait for that."""
        self.send(number)
        return self.ended()

    def kill(self) -> Ended:
        """Kill it, as a power cut would, and wait until it is gone."""
        return self.stop(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ended is None:
            ended = self.kill()
            if kind is not None:
                sys.stderr.write(ended.err)
