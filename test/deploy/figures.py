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


_SAID = """
Everything, the load too, is on one machine. Memory is what the kernel counts for a container and cannot take
back at once; of several pods of a service, the largest. **Retried**: how often four writers, who add books
all the while, got 503 or no answer; all repeated their commands, and each book that was
acknowledged is there once.
"""


class Figure(NamedTuple):
    """What one thing took: seconds, megabytes, and how often a writer had to try again meanwhile."""

    what: str
    seconds: float | None = None
    megabytes: float | None = None
    retried: int | None = None


def markdown(figures: Sequence[Figure]) -> str:
    """Return the table."""
    lines = ["| what | seconds | MB | retried |", "|---|---|---|---|"]
    for what, seconds, megabytes, retried in figures:
        cells = ("" if seconds is None else f"{seconds:.1f}", "" if megabytes is None else f"{megabytes:.0f}")
        lines.append(f"| {what} | {' | '.join(cells)} | {'' if retried is None else retried} |")
    return "\n".join(lines)


def page(figures: Sequence[Figure]) -> str:
    """Return the whole page."""
    machine = f"{os.cpu_count()} cores, Linux {platform.release().partition('-')[0]}, Kubernetes {VERSION}"
    versions = [f"{name} {_version(program)}" for name, program in _PROGRAMS.items()]
    made = ", ".join([machine, *versions])
    head = f"# What the ways of deployment take\nMade by `make test-deploy`, all of it passing: {made}.\n"
    return f"{head}{_SAID}\n{markdown(figures)}\n"


def _version(program: str) -> str:
    said = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return next((word for word in said.replace(",", " ").split() if word[:1].isdigit()), "unknown")


def write(target: Path, figures: Sequence[Figure]) -> None:
    """Write the page."""
    target.write_text(page(figures), encoding="utf-8")


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
