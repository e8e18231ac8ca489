"""The image: its content, its user, its start and its end."""

import json
import re
import time
from datetime import datetime
from statistics import median
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from deploy.figures import Figure
from support.docker import Docker
from support.process import ROOT
from support.replacement_images import PYTHON
from support.until import until

from bookshelf import __version__
from bookshelf.config import DISTRIBUTION

pytestmark = pytest.mark.deploy
_PORT = 18000


def inside(docker: Docker, image: str, script: str) -> str:
    """Run a shell script in the image, as its user, on a file system that is read-only."""
    return docker("run", "--rm", "--read-only", "--entrypoint", "sh", image, "-euc", script)


def test_the_image_adds_less_than_170_mb(docker: Docker, image: str, figures: list[Figure]) -> None:
    whole, base = (int(docker("inspect", "--format", "{{.Size}}", one)) for one in (image, PYTHON))
    figures.append(Figure("image: over its base", megabytes=(whole - base) / 1e6))
    assert whole - base < 170e6  # of it babel 33, sqlalchemy 21, pillow 20, obstore 13, cryptography 13


def test_the_image_has_its_own_unprivileged_user(docker: Docker, image: str) -> None:
    assert inside(docker, image, "id -u; id -g").split() == ["10001", "10001"]


def test_the_image_has_no_build_or_install_tools(docker: Docker, image: str) -> None:
    programs = "pip pip3 gcc cc make git curl wget cyclonedx-py"
    assert inside(docker, image, f"for one in {programs}; do command -v $one || true; done") == ""
    assert "No module named pip" in inside(docker, image, "python -m pip 2>&1 || true")


def test_all_modules_of_a_service_are_compiled(docker: Docker, image: str) -> None:
    script = """
import pathlib, sys, bookshelf.cli.run, bookshelf.cli.instance, bookshelf.cli.run_gateway
kept = (getattr(module, "__cached__", None) for module in list(sys.modules.values()))
print(*(path for path in kept if path and not pathlib.Path(path).exists()))
"""
    assert inside(docker, image, f"/opt/bookshelf/bin/python -c '{script}'") == ""


def test_the_same_sources_make_the_same_image(docker: Docker, image: str) -> None:
    """Byte by byte, all that is added to the base: made anew, nothing of the last time taken."""
    again = docker.run("docker", "build", "--quiet", "--no-cache", ".", cwd=ROOT)
    added = "find /opt/bookshelf /usr/share/bookshelf -type f -exec sha256sum {} + | sort"
    assert inside(docker, again, added) == inside(docker, image, added) != ""


def test_the_image_has_the_locked_versions_and_a_bill_of_materials(docker: Docker, image: str) -> None:
    locked = dict(re.findall(r"^([\w.-]+)==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    bill = json.loads(inside(docker, image, "cat /usr/share/bookshelf/sbom.cdx.json"))
    said = {part["name"]: part["version"] for part in bill["components"]}
    assert said.pop(DISTRIBUTION) == __version__
    assert {"httptools", "aiokafka", "asyncpg", "SQLAlchemy"} <= said.keys()
    assert {name: locked.get(name) for name in said} == said


def test_the_image_has_labels(docker: Docker, image: str) -> None:
    labels = json.loads(docker("inspect", "--format", "{{json .Config.Labels}}", image))
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "BSD-3-Clause"


_RUN = ("run", "--detach", "--read-only", "--cap-drop", "ALL", "--publish", f"127.0.0.1:{_PORT}:8000")


def test_the_start_time_is_measured(docker: Docker, image: str, figures: list[Figure]) -> None:
    """From `docker run` to a shelf that takes books, and of that, without what the daemon does before."""
    whole, own = zip(*(started(docker, image) for _ in range(5)), strict=True)
    figures.append(Figure("image: `docker run` until the shelf is ready, median of 5", median(whole)))
    figures.append(Figure("image: of that, from the start of the process", median(own)))


def started(docker: Docker, image: str) -> tuple[float, float]:
    """Start a shelf; return the seconds since it was asked for, and those since its process began."""
    asked = time.time()
    name = docker(*_RUN, image)
    until(lambda: answers("/health/ready"), "the shelf is ready")
    ready = time.time()
    began = docker("inspect", "--format", "{{.State.StartedAt}}", name)
    docker("rm", "--force", "--volumes", name)
    return ready - asked, ready - datetime.fromisoformat(began).timestamp()


def test_a_shelf_in_one_container_is_healthy_and_ends_on_sigterm(docker: Docker, image: str) -> None:
    name = docker(*_RUN, image)
    until(lambda: answers("/health/ready"), "the shelf is ready")
    until(lambda: health(docker, name) == "healthy", "the daemon finds it healthy")
    docker("stop", "--time", "20", name)
    state = json.loads(docker("inspect", "--format", "{{json .State}}", name))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    assert "Stopping." in docker("logs", name)


def test_a_container_without_an_answering_port_is_unhealthy(docker: Docker, image: str) -> None:
    # 0s would be the image's own; and one that has ended is unhealthy whatever was asked
    name = docker("run", "--detach", "--entrypoint", "sleep", "--health-start-period", "1s", image, "600")
    until(lambda: health(docker, name) == "unhealthy", "the daemon finds it unhealthy")
    assert json.loads(docker("inspect", "--format", "{{json .State.Running}}", name))


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
