"""What the ways of deployment took here: printed at the end, and put into docs/ by `make test-deploy`."""

import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from support.docker import Docker
from support.kubernetes import Cluster
from support.kubernetes_files import VERSION

_MEGA = 1e6
_UNITS = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
_PROGRAMS = {"Docker": "dockerd", "docker-compose": "docker-compose", "containerd": "containerd"}


_HEAD = ("| what | seconds | MB | retried |", "|---|---|---|---|")
_SAID = """
The rows of each way are of a run in which all its tests passed. Everything, the load too, is on one machine.
Memory is what the kernel counts for a container and cannot take back at once; of several pods of a service,
the largest. **Retried**: how often four writers, who add books all the while, or two, who order, got 503 or
no answer; all repeated their commands. Each book that was acknowledged is there once. Each order is final, or
canceled because a part did not answer in time, and the stock is what is left.
"""


class Figure(NamedTuple):
    """What one thing took: seconds, megabytes, and how often a writer had to try again meanwhile."""

    what: str
    seconds: float | None = None
    megabytes: float | None = None
    retried: int | None = None


def markdown(figures: Sequence[Figure]) -> str:
    """Return the table."""
    return "\n".join([*_HEAD, *map(_row, figures)])


def _row(figure: Figure) -> str:
    what, seconds, megabytes, retried = figure
    cells = ("" if seconds is None else f"{seconds:.1f}", "" if megabytes is None else f"{megabytes:.0f}")
    return f"| {what} | {' | '.join(cells)} | {'' if retried is None else retried} |"


def page(figures: Sequence[Figure], before: str = "") -> str:
    """Return the whole page; the ways of which there are no figures keep their rows of the page before."""
    ways: dict[str, list[str]] = {}
    for row in before.splitlines():
        if row.startswith("| ") and row not in _HEAD:
            ways.setdefault(_way(row), []).append(row)
    measured: dict[str, list[str]] = {}
    for row in map(_row, figures):
        measured.setdefault(_way(row), []).append(row)
    table = "\n".join([*_HEAD, *(row for rows in (ways | measured).values() for row in rows)])
    machine = f"{os.cpu_count()} cores, Linux {platform.release().partition('-')[0]}, Kubernetes {VERSION}"
    versions = [f"{name} {_version(program)}" for name, program in _PROGRAMS.items()]
    made = ", ".join([machine, *versions])
    head = f"# What the ways of deployment take\nMade by `make test-deploy`: {made}.\n"
    return f"{head}{_SAID}\n{table}\n"


def _way(row: str) -> str:
    """Return the way of deployment that a row of the table is about."""
    return row.removeprefix("| ").partition(":")[0]


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return next((word for word in said.replace(",", " ").split() if word[:1].isdigit()), "unknown")


def write(target: Path, figures: Sequence[Figure]) -> None:
    """Write the page, with the other ways that are there."""
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    target.write_text(page(figures, before), encoding="utf-8")


def of_containers(docker: Docker) -> dict[str, float]:
    """Return the megabytes that each container that runs has, by the daemon."""
    said = docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}")
    found = {}
    for line in said.splitlines():
        name, used, *_ = line.split()
        number = used.rstrip("BkKMGi")
        found[name] = float(number) * _UNITS[used[len(number) :]] / _MEGA
    return found


def of_pods(kube: Cluster) -> dict[str, float]:
    """Return the megabytes that each pod has, by the node's own account."""
    said = kube.json("/api/v1/nodes/node-1/proxy/stats/summary?only_cpu_and_memory=true")
    return {
        pod["podRef"]["name"]: pod["memory"]["workingSetBytes"] / _MEGA
        for pod in said["pods"]
        if pod.get("memory")
    }
