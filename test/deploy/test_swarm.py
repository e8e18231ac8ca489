"""swarm/stack.yml on a Swarm of one machine, by the override for that: up, scaled, killed under load.

Ingress is not run: it needs IP_VS, which the kernel may lack.
"""

import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import yaml
from deploy.contexts import GALERA
from deploy.figures import Figure
from deploy.photographers import answered, counts, publish
from support import replacement_images
from support.background_readers import BackgroundReaders
from support.client import Client
from support.docker import Docker
from support.manifests import documents
from support.process import ROOT
from support.until import until

from bookshelf.services import SERVICES

pytestmark = pytest.mark.deploy
_STACK = "demo"
_GATEWAY = "http://127.0.0.1:8000"
#: What runs of the other contexts beside photos, on a machine of two cores.
_ALSO = {"newbook", "booklist"}
_RUNNING = [one.name for one in SERVICES if one.profile == "photos" or one.name in _ALSO]
#: The gateway, Consul, Kafka, PostgreSQL, MariaDB.
_OTHERS = 5


class Stack:
    """The stack that is deployed, and its services."""

    def __init__(self, docker: Docker) -> None:
        self.docker = docker

    def replicas(self) -> dict[str, str]:
        """Return how many tasks of each service run, of how many, like 1/1."""
        listed = self.docker("service", "ls", "--format", "{{.Name}} {{.Replicas}}").splitlines()
        return {name.removeprefix(f"{_STACK}_"): count for name, count, *_ in map(str.split, listed)}

    def is_up(self) -> bool:
        """Return True if all that is wanted runs, and is well."""
        counts = [count.split("/") for count in self.replicas().values()]
        return all(now == wanted for now, wanted in counts)

    def containers(self, service: str) -> list[str]:
        """Return the containers of a service."""
        chosen = f"label=com.docker.swarm.service.name={_STACK}_{service}"
        return self.docker("ps", "--quiet", "--filter", chosen).split()

    def scale(self, **counts: int) -> None:
        """Have so many tasks of services."""
        wanted = [f"{_STACK}_{name}={count}" for name, count in counts.items()]
        self.docker("service", "scale", "--detach", *wanted)
        until(self.is_up, f"{counts} run", 600)

    def kill(self, service: str) -> None:
        """Kill a task as a crash would."""
        self.docker("kill", self.containers(service)[0])


@pytest.fixture(scope="module")
def stack(
    docker: Docker, image: str, tmp_path_factory: pytest.TempPathFactory, figures: list[Figure]
) -> Iterator[Stack]:
    """One machine as a Swarm, with the stack."""
    assert image
    assert replacement_images.mariadb(docker)
    [listed] = documents(ROOT / "swarm/stack.yml")
    resting = {
        one.name: {"deploy": {"replicas": 0}}
        for one in SERVICES
        if one.name in listed["services"] and one.name not in _RUNNING
    }
    own = tmp_path_factory.mktemp("swarm") / "own.yml"
    own.write_text(yaml.safe_dump({"version": "3.8", "services": resting}))
    until(lambda: has_left(docker), "the machine belongs to no Swarm of a former run", 180)
    docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    try:
        begun = time.monotonic()
        files = [ROOT / "swarm/stack.yml", ROOT / "swarm/one-machine.yml", own]
        named = [part for file in files for part in ("--compose-file", file)]
        docker("stack", "deploy", "--resolve-image", "never", *named, _STACK)
        made = Stack(docker)
        until(made.is_up, "the stack is up", 900)
        count = len(_RUNNING) + _OTHERS
        figures.append(Figure(f"Swarm: the stack, {count} containers, up", time.monotonic() - begun))
        yield made
        docker("stack", "rm", _STACK)
        until(lambda: not made.containers("gateway"), "the stack is gone", 120)
    finally:
        until(lambda: has_left(docker), "the machine has left the Swarm", 180)


def has_left(docker: Docker) -> bool:
    """Have the machine leave its Swarm; return True once it has; a slow daemon needs more tries."""
    if docker("info", "--format", "{{.Swarm.LocalNodeState}}") == "inactive":
        return True
    with suppress(AssertionError):
        docker("swarm", "leave", "--force")
    return False


@pytest.mark.usefixtures("stack")
def test_the_port_of_the_machine_answers() -> None:
    assert Client(_GATEWAY).ask("GET", "/apidocs/").status == 200


def test_a_service_scales_and_a_killed_task_loses_nothing(stack: Stack, figures: list[Figure]) -> None:
    stack.scale(newbook=2)
    with BackgroundReaders(_GATEWAY, "swarm", 2) as readers:
        assert readers.more(10)
        begun = time.monotonic()
        stack.kill("newbook")
        assert readers.more(20)
    assert readers.failed == []
    until(lambda: len(stack.containers("newbook")) == 2, "two run again", 300)
    took = time.monotonic() - begun
    figures.append(Figure("Swarm: newbook, of two, killed under load", took, retried=readers.retries))
    until(lambda: missing(readers) == [], "all that was acknowledged is listed", 180)


def missing(readers: BackgroundReaders) -> list[str]:
    titles = [book["title"] for book in Client(_GATEWAY, "/bookshelf").every_book()]
    return [title for title in readers.acknowledged if titles.count(title) != 1]


def sizes(stack: Stack) -> list[str]:
    """Return how many nodes each node of the database counts."""
    asked = "SHOW STATUS LIKE 'wsrep_cluster_size'"
    script = f'mariadb --no-defaults -N --socket "$(cat /tmp/folder)/socket" -e "{asked}" | cut -f 2'
    return [stack.docker.inside(one, script) for one in stack.containers(GALERA)]


def test_the_database_scales_to_three_and_a_killed_node_comes_back(
    stack: Stack, figures: list[Figure]
) -> None:
    assert sizes(stack) == ["1"]
    photo = publish(_GATEWAY, "Of one node")
    begun = time.monotonic()
    stack.scale(db=3)
    figures.append(Figure("Swarm: MariaDB scaled from one node to three", time.monotonic() - begun))
    until(lambda: sizes(stack) == ["3"] * 3, "three nodes are one cluster", 300)
    assert publish(_GATEWAY, "Of three nodes")
    begun = time.monotonic()
    stack.kill(GALERA)
    assert publish(_GATEWAY, "Of two nodes")
    until(lambda: len(stack.containers(GALERA)) == 3 and sizes(stack) == ["3"] * 3, "it is back", 300)
    figures.append(Figure("Swarm: a node of MariaDB killed, back", time.monotonic() - begun))
    until(lambda: counts(_GATEWAY, photo) == (1, 1), "what one node had is shown", 180)


def test_images_outlive_the_task_that_made_them(stack: Stack) -> None:
    photo = publish(_GATEWAY, "High tide")
    before = answered(_GATEWAY, "GET", f"/photos/{photo}/image").content
    stack.scale(votes=3, comments=2)
    stack.kill("uploads")
    assert publish(_GATEWAY, "Ebb")
    assert answered(_GATEWAY, "GET", f"/photos/{photo}/image").content == before
