"""Measures how long three nodes need to load a package, beside the start of the same service alone."""

from pathlib import Path
from statistics import median

from bench.measurement import BenchFault
from bench.nodes import sample_service
from bench.nodes.fleet import BenchFleet, now, open_fleet
from bookshelf.cli.repository_folder import RepositoryFolder
from bookshelf.cluster.packages import build_archive

_NODES = 3
_MANIFEST = """\
name = "sample"
version = "1.0.0"
group = "sample"
api = 1
entry = "sample_package.services:SERVICES"
"""


async def measure_package(broker: str, consul: str, folder: Path, rounds: int) -> dict[str, float]:
    """Load a package on three nodes and discard it, so often; then start its service alone, so often."""
    content = _package()
    repository = RepositoryFolder(folder / "repository")
    repository.create()
    digest = repository.add_package(content).digest
    async with open_fleet(
        broker, consul, folder / "packages", CLUSTER_REPOSITORY=str(folder / "repository")
    ) as fleet:
        for number in range(_NODES):
            ports = ("--http-port", "0", "--admin-port", "0")
            name = f"node{number}"
            await (await fleet.command(name, "node", "--name", name, *ports)).ready()
        loaded_s = [await _load(fleet, digest) for _ in range(rounds)]
        alone_s = [await _start(fleet, number) for number in range(rounds)]
    return {"loaded_s": median(loaded_s), "alone_s": median(alone_s)}


def _package() -> bytes:
    source = Path(sample_service.__file__).read_bytes()
    package = "sample_package"
    return build_archive(
        {
            "package.toml": _MANIFEST.encode(),
            f"{package}/__init__.py": b"",
            f"{package}/services.py": source,
        }
    )


async def _load(fleet: BenchFleet, digest: str) -> float:
    """Return the seconds from a proposal until all nodes have voted."""
    began = now()
    answer = await fleet.propose({"kind": "package", "name": "sample", "digest": digest})
    taken_s = now() - began
    if answer["state"] != "prepared":
        msg = f"the package was not loaded: {answer.get('reason')}"
        raise BenchFault(msg)
    await fleet.roll_back(answer["rollout"])
    return taken_s


async def _start(fleet: BenchFleet, number: int) -> float:
    """Return the seconds from the start of a process until its service is ready, without a domain."""
    began = now()
    alone = await fleet.instance("sample", f"alone{number}", CLUSTER_DOMAIN="")
    taken_s = now() - began
    await alone.stop()
    return taken_s
