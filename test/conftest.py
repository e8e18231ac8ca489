"""Fixtures of all tests, and the marks that name the programs a test needs."""

import os
import shutil
import signal
from collections.abc import Callable, Generator, Iterator, Mapping

import hypothesis
import pytest
import structlog
from support import (
    consul,
    consul_program,
    docker,
    faketime,
    kafka,
    kafka_files,
    kubernetes_files,
    mariadb,
    nginx,
    node_files,
    postgres,
    redis_server,
    rollout_cases,
    s3_server,
    task_dump,
)
from support.file_scheduling import Files, turn
from support.progress import Progress
from xdist.remote import Producer

#: What a test may need beside Python: how it is found, and how to get it.
NEEDS: Mapping[str, tuple[Callable[[], object], str]] = {
    "chromium": (lambda: shutil.which("chromium"), "sudo apt-get install -y chromium"),
    "consul": (consul_program.program, consul_program.REMEDY),
    "docker": (docker.available, docker.REMEDY),
    "kafka": (kafka_files.available, kafka_files.REMEDY),
    "faketime": (faketime.available, faketime.REMEDY),
    "kubernetes": (kubernetes_files.available, kubernetes_files.REMEDY),
    "mariadb": (mariadb.available, mariadb.REMEDY),
    "nginx": (nginx.installed, nginx.REMEDY),
    "node": (node_files.available, node_files.REMEDY),
    "postgres": (postgres.available, postgres.REMEDY),
    "redis": (redis_server.available, redis_server.REMEDY),
    "s3": (s3_server.available, s3_server.REMEDY),
    "shellcheck": (lambda: shutil.which("shellcheck"), "sudo apt-get install -y shellcheck"),
    "curl": (lambda: shutil.which("curl"), "sudo apt-get install -y curl"),
}


# How fast a machine is, is no test's to judge. With `CI` in the environment: the same cases every time.
hypothesis.settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    max_examples=int(os.environ.get("BOOKSHELF_TEST_EXAMPLES", "25")),
)
hypothesis.settings.load_profile("patient")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(name): is skipped on a machine that does not have it")
    # A background process of a shell ignores SIGINT, and so would the programs that tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("dist") != "no" and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Progress(config))


def pytest_report_header() -> str:
    """Name the faults in rollouts that this run does."""
    return rollout_cases.headline()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long; what takes minutes by right has no deadline."""
    items.sort(key=lambda item: turn(item.nodeid))
    for item in items:
        if item.get_closest_marker("slow") or item.get_closest_marker("deploy"):
            item.add_marker(pytest.mark.timeout(0))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Files:
    """Share the tests out by what they share."""
    return Files(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show where the tasks of a test are that has taken too long."""
    report = yield
    if call.excinfo is not None and "Timeout (>" in str(call.excinfo.value):
        report.sections.append(("tasks", task_dump.tasks()))
    return report


_LOGS = structlog.get_config()


def pytest_runtest_teardown() -> None:
    """Undo what a command that a test ran in this process has set for its logs."""
    structlog.configure(**_LOGS)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the machine cannot run; fail if BOOKSHELF_TEST_REQUIRE requires it."""
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
def mariadb_server() -> Iterator[mariadb.Server]:
    """One real server for all tests that leave it running; each has names of databases of its own."""
    required("mariadb")
    with mariadb.running() as server:
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3_server.S3Server]:
    """One server of S3 for all tests that leave it running; each has a bucket of its own."""
    required("s3")
    with s3_server.running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kafka.Broker]:
    """One real broker for all tests that leave it running; each takes names of its own there."""
    required("kafka")
    with kafka.brokers(tmp_path_factory.mktemp("kafka")) as [broker]:
        yield broker
