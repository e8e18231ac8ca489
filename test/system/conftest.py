"""A running shelf for the tests of one file."""

from collections.abc import Iterator

import pytest
from support.client import Client
from support.program import Program


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """A shelf that the tests of a file share: each uses books of its own."""
    with Program(tmp_path_factory.mktemp("shelf") / "data") as program:
        yield program.ready()
        ended = program.stop()
        assert ended.well
        assert "Traceback" not in ended.err  # whatever a test did, none of it was a defect


@pytest.fixture
def shelf(running: Program) -> Client:
    """A new client of the gateway."""
    return running.client


@pytest.fixture(params=["gateway", "own ports"])
def either(running: Program, request: pytest.FixtureRequest) -> Client:
    """A new client of the gateway, then one of the services' own ports."""
    return running.client if request.param == "gateway" else running.ports
