"""What every kind of test needs: a way to say what a machine must have for it."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping

import pytest
from support import consul, consul_program, docker, kafka, kafka_files, kubernetes_files, postgres

#: What a test may need beside Python: how it is found, and how to get it.
NEEDS: Mapping[str, tuple[Callable[[], object], str]] = {
    "chromium": (lambda: shutil.which("chromium"), "sudo apt-get install -y chromium"),
    "consul": (consul_program.program, consul_program.REMEDY),
    "docker": (docker.available, docker.REMEDY),
    "kafka": (kafka_files.available, kafka_files.REMEDY),
    "kubernetes": (kubernetes_files.available, kubernetes_files.REMEDY),
    "postgres": (postgres.available, postgres.REMEDY),
    "shellcheck": (lambda: shutil.which("shellcheck"), "sudo apt-get install -y shellcheck"),
    "curl": (lambda: shutil.which("curl"), "sudo apt-get install -y curl"),
}


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(name): is skipped on a machine that does not have it")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the machine cannot run; fail if BOOKSHELF_TEST_REQUIRE says that it must."""
    for mark in item.iter_markers("needs"):
        for name in mark.args:
            required(name)


def required(name: str) -> None:
    """Return if the machine has it; else skip the test, or fail it where it is required."""
    found, remedy = NEEDS[name]
    if found():
        return
    line = f"{name} is missing: {remedy}"
    if name in os.environ.get("BOOKSHELF_TEST_REQUIRE", "").replace(",", " ").split():
        pytest.fail(line, pytrace=False)
    pytest.skip(line)


@pytest.fixture(scope="session")
def consul_agent() -> Iterator[consul.Agent]:
    """One real agent for all tests that leave it as they found it."""
    required("consul")
    with consul.running() as agent:
        yield agent


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """One real server for all tests that leave it running; each has a database of its own."""
    required("postgres")
    with postgres.running() as server:
        yield server


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka.Broker]:
    """One real broker for all tests that leave it running; each takes names of its own there."""
    required("kafka")
    with kafka.brokers(tmp_path_factory.mktemp("kafka")) as [broker]:
        yield broker
