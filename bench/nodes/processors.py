"""What the processes of a domain use of the processors."""

from bench.figures import percentile
from bench.memory import cpu_s
from bench.nodes.fleet import BenchFleet


class Processors:
    """What the nodes of a fleet, and the owner of its domain, use from now on."""

    def __init__(self, fleet: BenchFleet) -> None:
        self._owner = fleet.processes[0].process.pid
        self._nodes = [node.process.pid for node in fleet.nodes]
        self._before = {pid: cpu_s(pid) for pid in (self._owner, *self._nodes)}

    def used_s(self) -> dict[str, float]:
        """Return the seconds of the owner, and the median of the nodes."""
        used = {pid: cpu_s(pid) - before for pid, before in self._before.items()}
        return {"owner": used[self._owner], "node": percentile([used[pid] for pid in self._nodes], 50)}
