"""The image: what is in it, what is not, who runs it, how it starts and ends."""

import json
import re
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from support.docker import Docker
from support.process import ROOT
from support.stand_ins import PYTHON
from support.until import until

from bookshelf import __version__

pytestmark = pytest.mark.deploy
_PORT = 18000


def inside(docker: Docker, image: str, script: str) -> str:
    """Run a shell script in the image, as its user, on a file system that is read-only."""
    return docker("run", "--rm", "--read-only", "--entrypoint", "sh", image, "-euc", script)


def test_it_adds_less_than_100_mb(docker: Docker, image: str) -> None:
    whole, base = (int(docker("inspect", "--format", "{{.Size}}", one)) for one in (image, PYTHON))
    assert whole - base < 100e6


def test_its_user_is_nobody_else_s_and_may_do_nothing_special(docker: Docker, image: str) -> None:
    assert inside(docker, image, "id -u; id -g").split() == ["10001", "10001"]


def test_nothing_that_installs_or_builds_is_in_it(docker: Docker, image: str) -> None:
    programs = "pip pip3 gcc cc make git curl wget cyclonedx-py"
    assert inside(docker, image, f"for one in {programs}; do command -v $one || true; done") == ""
    assert "No module named pip" in inside(docker, image, "python -m pip 2>&1 || true")


def test_it_has_the_locked_versions_and_says_so_in_its_bill_of_materials(docker: Docker, image: str) -> None:
    locked = dict(re.findall(r"^([\w.-]+)==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    bill = json.loads(inside(docker, image, "cat /usr/share/bookshelf/sbom.cdx.json"))
    said = {part["name"]: part["version"] for part in bill["components"]}
    assert said.pop("bookshelf") == __version__
    assert {"aiohttp", "aiokafka", "asyncpg", "SQLAlchemy"} <= said.keys()
    assert {name: locked.get(name) for name in said} == said


def test_its_labels_say_what_it_is(docker: Docker, image: str) -> None:
    labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", image))
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "BSD-3-Clause"


def test_a_shelf_in_one_container_is_well_and_ends_when_told(docker: Docker, image: str) -> None:
    run = ["run", "--detach", "--read-only", "--cap-drop", "ALL", "--publish", f"127.0.0.1:{_PORT}:8000"]
    name = docker(*run, image)
    until(lambda: answers("/health/ready"), "the shelf is ready")
    until(lambda: health(docker, name) == "healthy", "the daemon finds it healthy")
    docker("stop", "--time", "20", name)
    state = json.loads(docker("inspect", "--format", "{{json .State}}", name))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    assert "Stopping." in docker("logs", name)


def test_a_container_in_which_nothing_answers_is_unhealthy(docker: Docker, image: str) -> None:
    name = docker("run", "--detach", "--entrypoint", "sleep", "--health-start-period", "0s", image, "60")
    until(lambda: health(docker, name) == "unhealthy", "the daemon finds it unhealthy")


def health(docker: Docker, name: str) -> str:
    """Return what the daemon thinks of a container."""
    return docker("inspect", "--format", "{{.State.Health.Status}}", name)


def answers(path: str) -> bool:
    """Whether the shelf's port answers 200."""
    try:
        with urlopen(f"http://127.0.0.1:{_PORT}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
