"""docker-compose.yml as a person uses it: up, the calls of README, more of a service, kills, down and up."""

import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from deploy.contexts import GALERA
from deploy.contexts import services as context
from deploy.customers import BackgroundCustomers, finalized, kept, product
from deploy.figures import Figure, of_containers
from deploy.photographers import answered, counts, publish
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
_SERVICES = manifests.compose()["services"]
#: Those of the shelf: `docker-compose up` starts no other.
_SHELF = sum("profiles" not in one for one in _SERVICES.values())
_PROFILES = ("shop", "photos")
_ALL = f"docker-compose: the shelf, {_SHELF} containers"
#: What runs beside the services of a context.
OURS = ("gateway", "ports")
OUTSIDE = ("consul", "kafka", "postgres")
_OTHERS = len(OURS) + len(OUTSIDE)
#: All that an order passes through.
_PARTS_OF_SHOP = ("products", "customers", "orders", "payments", "accounting", "gateway")
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
        project.healthy(count=_SHELF)
        assert len(project.containers()) == _SHELF
        assert played(tmp_path) == list(STATUSES)
        project("up", "--detach", "--scale", "newbook=2")
        project.healthy("newbook", 2)
    finally:
        project("down", "--volumes", "--timeout", "5")


@pytest.fixture(scope="module")
def compose(docker: Docker, image: str, figures: list[Figure]) -> Iterator[Compose]:
    """The shelf is up, once for these tests; other contexts take its place later."""
    assert image
    project = Compose(docker, profiles=_PROFILES)
    # the image of the database is no part of what a start takes
    project("build", GALERA)
    begun = time.monotonic()
    try:
        project("up", "--detach", "--build", *context(""), *OURS, *OUTSIDE)
        project.healthy(count=_SHELF)
        figures.append(Figure(f"{_ALL}, up and healthy", time.monotonic() - begun))
        yield project
    finally:
        project("down", "--volumes", "--timeout", "5")


@pytest.fixture(scope="module")
def sold() -> list[str]:
    """The orders of these tests."""
    return []


def titles() -> Counter[str]:
    return Counter(book["title"] for book in Client(_GATEWAY, "/bookshelf").every_book())


@pytest.mark.usefixtures("compose")
def test_the_documented_calls_are_answered(tmp_path: Path) -> None:
    assert played(tmp_path) == list(STATUSES)


@pytest.mark.usefixtures("compose")
def test_the_memory_of_the_containers_is_measured(docker: Docker, figures: list[Figure]) -> None:
    used = of_containers(docker)
    assert len(used) == _SHELF
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
    compose("up", "--detach", "--no-recreate", "--scale", "newbook=3", "newbook")
    compose.healthy("newbook", 3)
    until(lambda: sorted(owned()) == list(range(8)) and len(owners()) == 3, "three own all partitions", 180)
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
    until(lambda: missing(readers) == [], "all that was acknowledged is listed", 180)
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
    compose("up", "--detach", *context(""), *OURS, *OUTSIDE)
    compose.healthy(count=_SHELF)
    figures.append(Figure("docker-compose: up again, with the books", time.monotonic() - begun))
    until(lambda: titles() == before, "every book is listed again", 180)


@pytest.mark.usefixtures("compose")
def test_services_are_found_by_name_in_dns() -> None:
    assert {one.port for one in srv("127.0.0.1", 8600, "newbook.service.consul")} == {8081}


def test_every_container_ends_by_itself_on_sigterm(compose: Compose, docker: Docker) -> None:
    [gateway] = compose.containers("gateway")
    compose("stop", "--timeout", "30", "gateway")
    assert docker("inspect", "--format", "{{.State.ExitCode}}", gateway) == "0"
    compose("start", "gateway")
    compose.healthy("gateway")


@pytest.fixture(scope="module")
def shop(compose: Compose, figures: list[Figure]) -> Compose:
    """The shop in place of the shelf: one context at a time, for a machine of two cores."""
    compose("stop", "--timeout", "30", *context(""))
    compose("rm", "--force", *context(""))
    begun = time.monotonic()
    compose("up", "--detach", "--no-recreate", *context("shop"))
    compose.healthy(count=_OTHERS + len(context("shop")))
    took = time.monotonic() - begun
    figures.append(Figure(f"docker-compose: the shop in its place, {len(context('shop'))} containers", took))
    return compose


@pytest.fixture(scope="module")
def bought(shop: Compose) -> str:
    """A product of the shop."""
    assert shop.containers("orders")
    return product(_GATEWAY, "Dune")


@pytest.mark.parametrize("service", _PARTS_OF_SHOP)
def test_a_killed_part_of_the_shop_loses_no_order(
    shop: Compose, bought: str, service: str, figures: list[Figure], sold: list[str]
) -> None:
    with BackgroundCustomers(_GATEWAY, f"killed-{service}", bought) as customers:
        assert customers.more(5)
        begun = time.monotonic()
        shop.kill(service)
        assert customers.more(10)
    assert customers.failed == []
    shop.healthy()
    took = time.monotonic() - begun
    figures.append(Figure(f"docker-compose: {service} killed under orders", took, retried=customers.retries))
    sold += finalized(_GATEWAY, customers.ids)
    assert len(set(sold)) == len(sold)
    until(lambda: kept(_GATEWAY, bought, len(sold)), "the stock is what is left", 120)


@pytest.mark.usefixtures("bought")
def test_the_pages_of_the_shop_are_answered() -> None:
    for page in ("/shop", "/manage"):
        assert b"</html>" in Client(_GATEWAY).ask("GET", page).content


@pytest.fixture(scope="module")
def photos(compose: Compose, figures: list[Figure]) -> Compose:
    """Photos in place of the others, with one node of their database."""
    others = (*context(""), *context("shop"))
    compose("stop", "--timeout", "30", *others)
    compose("rm", "--force", *others)
    begun = time.monotonic()
    compose("up", "--detach", "--no-recreate", *context("photos"))
    count = len(context("photos")) + 1
    compose.healthy(count=_OTHERS + count)
    took = time.monotonic() - begun
    figures.append(Figure(f"docker-compose: photos and their database, {count} containers", took))
    return compose


@pytest.mark.usefixtures("photos")
def test_a_photo_is_published_voted_for_and_commented_on() -> None:
    assert publish(_GATEWAY, "Low tide")


def test_images_outlive_the_container_that_made_them(photos: Compose) -> None:
    photo = publish(_GATEWAY, "High tide")
    before = answered(_GATEWAY, "GET", f"/photos/{photo}/image").content
    photos.kill("uploads")
    assert publish(_GATEWAY, "Ebb")
    photos("up", "--detach", "--no-deps", "--force-recreate", "uploads")
    assert answered(_GATEWAY, "GET", f"/photos/{photo}/image").content == before
    photos.healthy("uploads")


def test_the_database_of_photos_scales_to_three_and_a_killed_node_comes_back(
    docker: Docker, photos: Compose, figures: list[Figure]
) -> None:
    photo = publish(_GATEWAY, "Of one node")
    begun = time.monotonic()
    photos("up", "--detach", "--no-recreate", "--scale", "db=3", GALERA)
    photos.healthy(GALERA, 3)
    figures.append(Figure("docker-compose: MariaDB scaled from one node to three", time.monotonic() - begun))
    until(lambda: sizes(docker, photos) == ["3"] * 3, "three nodes are one cluster", 300)
    assert publish(_GATEWAY, "Of three nodes")
    begun = time.monotonic()
    photos.kill(GALERA)
    assert publish(_GATEWAY, "Of two nodes")
    until(lambda: sizes(docker, photos) == ["3"] * 3, "the node is back", 300)
    figures.append(Figure("docker-compose: a node of MariaDB killed, back", time.monotonic() - begun))
    until(lambda: counts(_GATEWAY, photo) == (1, 1), "what one node had is shown", 180)


def sizes(docker: Docker, compose: Compose) -> list[str]:
    """Return how many nodes each node of the database counts."""
    asked = "SHOW STATUS LIKE 'wsrep_cluster_size'"
    script = f'mariadb --no-defaults -N --socket "$(cat /tmp/folder)/socket" -e "{asked}" | cut -f 2'
    return [docker.inside(one, script) for one in compose.containers(GALERA)]
