"""A real Docker daemon, the image made by the project's own Dockerfile, and what stands beside it."""

from collections.abc import Iterator

import pytest
from conftest import required
from support import stand_ins
from support.docker import Docker, daemon
from support.process import ROOT

from bookshelf import __version__

IMAGE = f"bookshelf:{__version__}"


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """A daemon with all images of the outside parts."""
    for name in ("docker", "kafka", "consul"):
        required(name)
    with daemon() as running:
        stand_ins.make(running)
        yield running


@pytest.fixture(scope="session")
def image(docker: Docker) -> str:
    """The project's image, as README says to build it."""
    docker.run("docker", "build", "--tag", IMAGE, ".", cwd=ROOT)
    return IMAGE
