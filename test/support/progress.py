"""Progress lines of a run in several processes: a truncated output still shows where the run was."""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.file_scheduling import together
from xdist.workermanage import WorkerController

#: Seconds of tests for which their file has a line, if none failed; after which a test has one of its own.
_SHORT_S, _LONG_S = 1.0, 20.0


class Progress:
    """A line for each file that is done, and at once for each test that fails; no letters."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._left: Counter[str] = Counter()
        self._done: dict[str, Counter[str]] = {}
        self._seconds: dict[str, float] = {}
        self._running: dict[str, float] = {}

    def pytest_xdist_node_collection_finished(self, node: WorkerController, ids: Sequence[str]) -> None:  # noqa: ARG002 (the hook's signature)
        """Each process finds the same tests."""
        self._left = self._left or Counter(map(together, ids))

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Count as always, and write no letters."""
        if hasattr(report, "wasxfail"):
            return None
        outside = "error" if report.failed else "skipped" if report.skipped else ""
        what = report.outcome if report.when == "call" else outside
        return what, "", what.upper()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Record it: it may be the last event of this test."""
        self._running[nodeid] = time.monotonic()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count the outcome, and print a failure at once."""
        part = together(report.nodeid)
        self._seconds[part] = self._seconds.get(part, 0.0) + report.duration
        if report.failed or report.when == "call" or report.skipped:
            self._done.setdefault(part, Counter())[report.outcome] += 1
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            why = str(report.longrepr if crash is None else crash.message)
            self._say(f"FAILED {report.nodeid} ({report.when}): {why.partition(chr(10))[0]}")

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Print the file if it is complete."""
        took_s = time.monotonic() - self._running.pop(nodeid)
        if took_s > _LONG_S:
            self._say(f"{took_s:6.1f} s {nodeid}")
        part = together(nodeid)
        self._left[part] -= 1
        if not self._left[part] and (self._seconds[part] > _SHORT_S or self._done[part]["failed"]):
            counts = ", ".join(f"{number} {what}" for what, number in self._done[part].items())
            self._say(f"{self._seconds[part]:6.1f} s {part}: {counts}; {_machine()}")

    def pytest_keyboard_interrupt(self) -> None:
        """Name what was under way."""
        for nodeid, began in self._running.items():
            self._say(f"under way for {time.monotonic() - began:.0f} s: {nodeid}")

    def _say(self, line: str) -> None:
        terminal: pytest.TerminalReporter = self._config.pluginmanager.getplugin("terminalreporter")
        terminal.write_line(f"{time.strftime('%H:%M:%S')} {line}")
        terminal.flush()


def _machine() -> str:
    """How busy it is, and how full: what explains a slow test, or a process that was killed."""
    try:
        load = Path("/proc/loadavg").read_text().split()[0]
        memory = Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]
    except (OSError, IndexError):
        return "no figures of the machine"
    return f"load {load}, {int(memory) >> 10} MiB free"
