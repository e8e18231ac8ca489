"""A real Docker daemon, the image made by the project's own Dockerfile, and what stands beside it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import required
from deploy.figures import Figure, markdown, write
from support import replacement_images
from support.docker import Docker, daemon
from support.process import ROOT

from bookshelf import __version__

IMAGE = f"bookshelf:{__version__}"
#: The page that the figures are written into; only printed, if there is none.
PAGE = os.environ.get("BOOKSHELF_DEPLOY_PAGE", "")
_FIGURES = pytest.StashKey[list[Figure]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_FIGURES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the figures, whatever came of the tests; keep them if all passed."""
    if taken := config.stash[_FIGURES]:
        terminalreporter.section("what it took")
        terminalreporter.write_line(markdown(taken))
        stats = terminalreporter.stats
        # Vagrant has no figures
        skipped = [one for one in stats.get("skipped", ()) if "test_vagrant" not in one.nodeid]
        if PAGE and not (skipped or stats.get("failed") or stats.get("error")):
            write(Path(PAGE), taken)


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> list[Figure]:
    """What was measured so far."""
    return pytestconfig.stash[_FIGURES]


@pytest.fixture(scope="session")
def docker() -> Iterator[Docker]:
    """A daemon with all images of the outside parts."""
    for name in ("docker", "kafka", "consul"):
        required(name)
    with daemon() as running:
        replacement_images.make(running)
        yield running


@pytest.fixture(scope="session")
def image(docker: Docker) -> str:
    """The project's image, built as in the README."""
    docker.run("docker", "build", "--tag", IMAGE, ".", cwd=ROOT)
    return IMAGE
