"""The system that faults are injected into, and the table of what came of them.

One fleet serves all faults, one after the other: each finds it as the last one left it, mended.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.kafka.table import Row, markdown, write
from chaos.kafka.trial import SEED, Fault, dice, trial
from support import consul
from support.consul import Agent
from support.fleet import Fleet
from support.kafka_behind import Behind, bootstrap, brokers_behind
from support.registry_behind import RegistryWire, registry_behind
from support.wire import Backstage

#: The page that the table is written into; only printed, if there is none.
PAGE = os.environ.get("BOOKSHELF_CHAOS_PAGE", "")
_ROWS = pytest.StashKey[list[Row]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ROWS] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the table, whatever came of the tests."""
    rows = config.stash.get(_ROWS, [])
    if rows:
        terminalreporter.section(f"faults (BOOKSHELF_CHAOS_SEED={SEED})")
        terminalreporter.write_line(markdown(rows))
        if PAGE:
            write(Path(PAGE), rows, SEED)


@pytest.fixture(scope="session")
def table(pytestconfig: pytest.Config) -> list[Row]:
    """The rows, as they come."""
    return pytestconfig.stash[_ROWS]


@pytest.fixture(scope="session")
def backstage() -> Iterator[Backstage]:
    """Where proxies run."""
    thread = Backstage()
    yield thread
    thread.close()


@pytest.fixture(scope="session")
def behind(tmp_path_factory: pytest.TempPathFactory, backstage: Backstage) -> Iterator[Behind]:
    """The broker of the fleet."""
    with brokers_behind(tmp_path_factory.mktemp("faults"), backstage) as [one]:
        one.broker.start()
        yield one


@pytest.fixture(scope="session")
def agent() -> Iterator[Agent]:
    """The agent of the fleet."""
    with consul.running() as one:
        yield one


@pytest.fixture(scope="session")
def registry(agent: Agent, backstage: Backstage) -> Iterator[RegistryWire]:
    """The fleet's way to its agent."""
    with registry_behind(agent, backstage) as wire:
        yield wire


@pytest.fixture(scope="session")
def _fleet(
    tmp_path_factory: pytest.TempPathFactory, behind: Behind, registry: RegistryWire
) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), bootstrap([behind]), registry.address)
    yield fleet
    fleet.close()


@pytest.fixture
def registry_alone(backstage: Backstage) -> Iterator[RegistryWire]:
    """An agent for a fleet of a test's own."""
    with consul.running() as one, registry_behind(one, backstage) as wire:
        yield wire


@pytest.fixture
def fleet(_fleet: Fleet, behind: Behind, registry: RegistryWire) -> Fleet:
    """Two instances of each aggregate, one of each view, a gateway; whatever is missing is started."""
    behind.wire.heal()
    registry.heal()
    _fleet.whole()
    return _fleet


@pytest.fixture
def fault(fleet: Fleet, table: list[Row], request: pytest.FixtureRequest) -> Fault:
    """Begin a trial of a fault by its name."""
    return lambda name: trial(fleet, name, dice(request.node.name), table)
