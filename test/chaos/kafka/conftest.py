"""The system that faults are injected into, and the table of what came of them.

One fleet serves all faults, one after the other: each finds it as the last one left it, repaired.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from chaos.kafka.result_table import Row, markdown, write
from chaos.kafka.trial import SEED, Fault, seeded_random, trial
from support import consul
from support.consul import Agent
from support.fleet import Fleet
from support.kafka_proxy import BackgroundLoop
from support.proxied_consul import ProxiedConsul, proxied_consul
from support.proxied_kafka import ProxiedBroker, bootstrap, proxied_brokers

#: The page that the table is written into; only printed, if there is none.
PAGE = os.environ.get("BOOKSHELF_CHAOS_PAGE", "")
_ROWS = pytest.StashKey[list[Row]]()
_SHARED = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ROWS] = []
    config.stash[_SHARED] = ExitStack()


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


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End what these tests share after the last of them: others are not to share the machine with it."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        item.config.stash[_SHARED].close()


@pytest.fixture(scope="session")
def _shared(pytestconfig: pytest.Config) -> ExitStack:
    return pytestconfig.stash[_SHARED]


@pytest.fixture(scope="session")
def background_loop(_shared: ExitStack) -> BackgroundLoop:
    """Where proxies run."""
    return _shared.enter_context(closing(BackgroundLoop()))


@pytest.fixture(scope="session")
def behind(
    _shared: ExitStack, tmp_path_factory: pytest.TempPathFactory, background_loop: BackgroundLoop
) -> ProxiedBroker:
    """The broker of the fleet."""
    [one] = _shared.enter_context(proxied_brokers(tmp_path_factory.mktemp("faults"), background_loop))
    one.broker.start()
    return one


@pytest.fixture(scope="session")
def agent(_shared: ExitStack) -> Agent:
    """The agent of the fleet."""
    return _shared.enter_context(consul.running())


@pytest.fixture(scope="session")
def registry(_shared: ExitStack, agent: Agent, background_loop: BackgroundLoop) -> ProxiedConsul:
    """The fleet's way to its agent."""
    return _shared.enter_context(proxied_consul(agent, background_loop))


@pytest.fixture(scope="session")
def _fleet(
    _shared: ExitStack,
    tmp_path_factory: pytest.TempPathFactory,
    behind: ProxiedBroker,
    registry: ProxiedConsul,
) -> Fleet:
    made = Fleet(tmp_path_factory.mktemp("fleet"), bootstrap([behind]), registry.address)
    return _shared.enter_context(closing(made))


@pytest.fixture
def proxied_consul_alone(background_loop: BackgroundLoop) -> Iterator[ProxiedConsul]:
    """An agent for a fleet of a test's own."""
    with consul.running() as one, proxied_consul(one, background_loop) as wire:
        yield wire


@pytest.fixture
def fleet(_fleet: Fleet, behind: ProxiedBroker, registry: ProxiedConsul) -> Fleet:
    """Two instances of each aggregate, one of each view, a gateway; whatever is missing is started."""
    behind.wire.heal()
    registry.heal()
    _fleet.whole()
    return _fleet


@pytest.fixture
def fault(fleet: Fleet, table: list[Row], request: pytest.FixtureRequest) -> Fault:
    """Begin a trial of a fault by its name."""
    return lambda name: trial(fleet, name, seeded_random(request.node.name), table)
