"""All measurements of a domain on a broker and an agent, in one run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.measurement import Figures, Plan
from bench.nodes.backing import open_broker, open_consul
from bench.nodes.commits import measure_appends, measure_commits
from bench.nodes.fleet import BenchFleet, open_fleet
from bench.nodes.package_loads import measure_package
from bench.nodes.session_reads import measure_session_reads
from bench.nodes.traffic import RATE, measure_traffic

#: Nodes while clients ask through a gateway; loads of a package; session reads, of each kind.
_BUSY, _LOADS, _READS = 10, 3, 300

FACTS: dict[str, Any] = {
    "nodes": "each a process of its own, as `bookshelf run` starts it, beside the service rollouts; one "
    "broker, one Consul agent in memory, all on this machine",
    "changed": "from the proposal of a setting with its commit until the last node serves it",
    "prepared": "from a proposal without a commit until the administrator has the answer: all have loaded",
    "committed": "from the commit of a prepared setting until the last node serves it",
    "node, owner": "processor time of the median node, and of the service rollouts, for each rollout",
    "failed": "rollouts that were not committed, because a node was silent",
    "votes": "one round: from the record that requests a phase until the one that ends it, as a tail reads",
    "append": "the log alone: a transaction of one record, until a tail has it",
    "paused": f"each service of {_BUSY} nodes, while clients ask a gateway {RATE} times a second",
    "request": "from the moment at which a request was due until its answer; failed: any answer but 200",
    "package": f"loaded: from a proposal until 3 nodes have voted, {_LOADS} times; alone: the same service, "
    "from the start of its process until it is ready",
    "session": "from the answer of node 1 until a client of node 2 has the value, which asks all the time; "
    "by position: the time of one read after the write, and how many did not have it",
    "times": "how often the slower one of the watches goes into the time of a commit, at the median",
}


async def measure_domain(plan: Plan, consul: str, folder: Path, sizes: Sequence[int]) -> Figures:
    """Return the figures of domains of these sizes, of packages and of sessions. Raises `BenchFault`."""
    figures: Figures = {}
    rounds = max(2, round(plan.seconds * 20))
    async with open_broker(folder / "kafka", plan.broker) as broker, open_consul(consul) as agent:
        async with open_fleet(broker, agent, folder / "domain") as fleet:
            for size in sizes:
                figures |= await _of_size(fleet, size, rounds)
        figures["package, 3 nodes"] = await measure_package(broker, agent, folder, _LOADS)
        figures |= await measure_session_reads(broker, agent, folder, _READS)
    return figures


async def _of_size(fleet: BenchFleet, size: int, rounds: int) -> Figures:
    await fleet.grow(size)
    found = await measure_commits(fleet, rounds)
    append = await measure_appends(fleet, rounds)
    votes = found["votes"]
    votes["times_append"] = votes["p50_ms"] / append["p50_ms"]
    figures = {
        f"{size} nodes": found["changes"],
        f"votes, {size} nodes": votes,
        f"append, {size} nodes": append,
    }
    if size == _BUSY:
        figures[f"traffic, {size} nodes"] = await measure_traffic(fleet, max(2, rounds // 2))
    return figures
