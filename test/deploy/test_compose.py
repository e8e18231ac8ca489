"""docker-compose.yml as a person uses it: up, the calls of README, more of a service, kills, down and up."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from deploy.figures import Figure, of_containers
from support import manifests
from support.background_readers import BackgroundReaders
from support.client import Client
from support.compose import FIRST, SECOND, Compose, Generation
from support.dns import srv
from support.docker import Docker
from support.readme import STATUSES, played
from support.until import until

pytestmark = pytest.mark.deploy
_GATEWAY = "http://127.0.0.1:8000"
_CONTAINERS = len(manifests.compose()["services"])
_ALL = f"docker-compose: all {_CONTAINERS} containers"
#: What each generation writes once for each image that it builds.
_BUILT = {FIRST: r"^Successfully built", SECOND: r"^#\d+ naming to \S+/bookshelf:\S+"}


@pytest.mark.parametrize("generation", [FIRST, SECOND], ids=lambda one: one.name)
def test_the_image_is_built_once_and_every_container_becomes_healthy(
    docker: Docker, image: str, generation: Generation, tmp_path: Path
) -> None:
    docker("rmi", "--force", image)
    project = Compose(docker, generation)
    try:
        docker_output = project.docker_output("up", "--detach", "--build")
        assert len(set(re.findall(_BUILT[generation], docker_output, re.MULTILINE))) == 1, docker_output
        project.healthy(count=_CONTAINERS)
        assert played(tmp_path) == list(STATUSES)
        project("up", "--detach", "--scale", "newbook=2")
        project.healthy("newbook", 2)
    finally:
        project("down", "--volumes", "--timeout", "5")


@pytest.fixture(scope="module")
def compose(docker: Docker, image: str, figures: list[Figure]) -> Iterator[Compose]:
    """Everything is up, once for these tests."""
    assert image
    project = Compose(docker)
    begun = time.monotonic()
    try:
        project("up", "--detach", "--build")
        project.healthy(count=_CONTAINERS)
        figures.append(Figure(f"{_ALL} up and healthy", time.monotonic() - begun))
        yield project
    finally:
        project("down", "--volumes", "--timeout", "5")


def titles() -> Counter[str]:
    return Counter(book["title"] for book in Client(_GATEWAY, "/bookshelf").every_book())


@pytest.mark.usefixtures("compose")
def test_the_documented_calls_are_answered(tmp_path: Path) -> None:
    assert played(tmp_path) == list(STATUSES)


@pytest.mark.usefixtures("compose")
def test_the_memory_of_the_containers_is_measured(docker: Docker, figures: list[Figure]) -> None:
    used = of_containers(docker)
    assert len(used) == _CONTAINERS
    figures += [
        Figure(f"docker-compose: {name.split('_')[1]}", megabytes=size) for name, size in sorted(used.items())
    ]
    figures.append(Figure(f"{_ALL}, without load", megabytes=sum(used.values())))


@pytest.mark.usefixtures("compose")
def test_its_documented_ports_answer() -> None:
    pages = (
        "8000/apidocs/",
        "8000/openapi.json",
        "8080/books/last/read",
        "8084/books",
        "8500/v1/status/leader",
    )
    for path in pages:
        with urlopen(f"http://127.0.0.1:{path}", timeout=20) as answer:
            assert answer.status == 200
    assert Client("http://127.0.0.1:8081").add("by its own port")["title"]
    assert Client("http://127.0.0.1:8082").post("/books/none/finished").status in {404, 422}


def test_three_of_a_service_share_its_partitions(compose: Compose) -> None:
    compose("up", "--detach", "--scale", "newbook=3")
    compose.healthy("newbook", 3)
    until(lambda: sorted(owned()) == list(range(8)) and len(owners()) == 3, "three own all partitions")
    with BackgroundReaders(_GATEWAY, "scaled") as readers:
        assert readers.more(50)
    assert readers.failed == []


def owners() -> list[list[int]]:
    """Return the partitions that each instance of newbook publishes as its own."""
    with urlopen("http://127.0.0.1:8500/v1/health/service/newbook?passing", timeout=20) as answer:
        said = re.findall(r'"owns-newbook":\s*"([\d,]*)"', answer.read().decode())
    parts = [[int(number) for number in one.split(",") if number] for one in dict.fromkeys(said)]
    return [one for one in parts if one]


def owned() -> list[int]:
    return [number for one in owners() for number in one]


@pytest.mark.parametrize(
    "service", ["newbook", "readbook", "booklist", "gateway", "postgres", "consul", "kafka"]
)
def test_a_killed_container_is_restarted_and_no_acknowledged_book_is_lost(
    compose: Compose, service: str, figures: list[Figure]
) -> None:
    with BackgroundReaders(_GATEWAY, f"killed-{service}") as readers:
        assert readers.more(20)
        begun = time.monotonic()
        compose.kill(service)
        assert readers.more(50)
    assert readers.failed == []
    compose.healthy()
    took = time.monotonic() - begun
    figures.append(Figure(f"docker-compose: {service} killed under load", took, retried=readers.retries))
    until(lambda: missing(readers) == [], "all that was acknowledged is listed", 60)
    found = titles()
    assert [title for title in readers.acknowledged if found[title] != 1] == []


def missing(readers: BackgroundReaders) -> list[str]:
    found = titles()
    return [title for title in readers.acknowledged if not found[title]]


def test_down_and_up_again_keeps_the_books(compose: Compose, figures: list[Figure]) -> None:
    before = titles()
    assert before
    compose("down", "--timeout", "30")
    begun = time.monotonic()
    compose("up", "--detach")
    compose.healthy(count=_CONTAINERS)
    figures.append(Figure("docker-compose: up again, with the books", time.monotonic() - begun))
    until(lambda: titles() == before, "every book is listed again")


@pytest.mark.usefixtures("compose")
def test_services_are_found_by_name_in_dns() -> None:
    assert {one.port for one in srv("127.0.0.1", 8600, "newbook.service.consul")} == {8081}


def test_every_container_ends_by_itself_on_sigterm(compose: Compose, docker: Docker) -> None:
    [gateway] = compose.containers("gateway")
    compose("stop", "--timeout", "30", "gateway")
    assert docker("inspect", "--format", "{{.State.ExitCode}}", gateway) == "0"
    compose("start", "gateway")
    compose.healthy("gateway")
