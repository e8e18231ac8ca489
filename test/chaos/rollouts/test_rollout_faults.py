"""Faults in rollouts on Kafka and Consul: kills, stops, departures, joins, a lost broker, and cut networks.

The owner dies, stops or leaves before or after it appends the event that begins a stage, a node before or
after it reads it; there, too, a node is cut off, the broker is killed, or another node joins. Clients record
the revision and the time of each answer meanwhile: no request that began after an answer of a revision is
answered from an earlier one.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.rollout_cases import CASES, Case, numbers
from support.rollout_system import (
    CUT_OFF,
    LONG_S,
    NODES,
    CuttableDomain,
    Recorder,
    RolloutSystem,
    cuttable_domain,
    driven,
)
from support.until import until

pytestmark = [pytest.mark.chaos, pytest.mark.needs("kafka", "consul")]
SIGNALS = {"kill": signal.SIGKILL, "leave": signal.SIGTERM, "stop": signal.SIGSTOP}
JOINS = "newbook-3"


def parameters(*faults: str) -> list[object]:
    """Return the cases of these faults; those that another run does are marked as slow."""
    ours = numbers()
    return [
        pytest.param(case, id=f"{number}-{case.name}", marks=() if number in ours else pytest.mark.slow)
        for number, case in enumerate(CASES)
        if case.fault in faults
    ]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CuttableDomain]:
    with cuttable_domain(tmp_path_factory.mktemp("domain")) as domain:
        yield domain
        for kind, seconds in sorted(domain.system.recovered_s.items()):
            print(f"all nodes serve again after {kind}: {seconds:.1f} s")  # noqa: T201 (for the page)


@pytest.fixture
def domain(running: CuttableDomain) -> CuttableDomain:
    """All nodes are members and serve the same revision, which is not the first one."""
    running.system.commit()
    return running


def give_order(system: RolloutSystem, case: Case, sent: signal.Signals) -> Path:
    """Have the victim of a case send itself a signal; return the file, which is gone when it does."""
    if case.stage.way == "stop":
        system.order("newbook-2", "read", "before", signal.SIGSTOP, '"phase":"deploy"')
    name, action = ("rollouts-1", "append") if case.victim == "owner" else (CUT_OFF, "read")
    return system.order(name, action, case.point, sent, case.stage.text)


def let_go_on(system: RolloutSystem) -> None:
    """Let all go on that are stopped."""
    for name in system.stopped():
        system.fleet.members[name].send(signal.SIGCONT)


@pytest.mark.parametrize("case", parameters("kill", "leave"))
def test_a_process_that_ends_in_a_rollout_changes_no_result(domain: CuttableDomain, case: Case) -> None:
    system = domain.system
    before = system.status()["revision"]
    order = give_order(system, case, SIGNALS[case.fault])
    with Recorder(system) as recorder:
        with driven(system, case.stage.way, case.barrier, order):
            until(system.dead, f"one has ended at {order}", LONG_S)
            for name in system.dead():
                system.start(name).ready()
            let_go_on(system)
        system.recover(case.fault, before)
    recorder.check()


@pytest.mark.parametrize("case", parameters("stop"))
def test_a_process_that_was_stopped_has_the_result_of_the_others(domain: CuttableDomain, case: Case) -> None:
    """Clients of the gateway see no earlier revision of it; it may give one to those that go past it."""
    system = domain.system
    before = system.status()["revision"]
    order = give_order(system, case, signal.SIGSTOP)
    with Recorder(system, "gateway") as recorder:
        with driven(system, case.stage.way, case.barrier, order):
            until(lambda: not order.exists() and system.stopped(), f"one is stopped at {order}", LONG_S)
            until(lambda: system.is_decided_without(system.stopped()), "the others have decided", LONG_S)
            let_go_on(system)
        system.recover(case.fault, before)
    recorder.check()


@pytest.mark.parametrize("case", parameters("join"))
def test_a_node_that_starts_in_a_rollout_has_its_result(domain: CuttableDomain, case: Case) -> None:
    """It has read the end of the log before the rollout, and asks to join in it."""
    system = domain.system
    before = system.status()["revision"]
    system.order(JOINS, "read", "before", signal.SIGSTOP, "cluster.")
    joins = system.start(JOINS)
    until(lambda: JOINS in system.stopped(), "it is stopped at its first record", LONG_S)

    def refusals() -> int:
        return joins.complaints.count("domain-refuses")

    refused = refusals()
    order = give_order(system, case, signal.SIGSTOP)
    with Recorder(system, *NODES, JOINS, "gateway") as recorder:
        with driven(system, case.stage.way, case.barrier, order) as answer:
            until(lambda: not order.exists() or answer.done(), f"it has come to {case.stage.name}", LONG_S)
            joins.send(signal.SIGCONT)
            until(lambda: refusals() > refused or answer.done(), "it has asked", LONG_S)
            let_go_on(system)
        system.recover(case.fault, before)
    recorder.check()
    system.fleet.retire(JOINS)
    system.recover("leave", system.status()["revision"])


@pytest.mark.parametrize("case", parameters("broker"))
def test_a_broker_that_is_killed_in_a_rollout_delays_its_result(domain: CuttableDomain, case: Case) -> None:
    system = domain.system
    before = system.status()["revision"]
    order = give_order(system, case, signal.SIGSTOP)
    with Recorder(system) as recorder:
        with driven(system, case.stage.way, case.barrier, order):
            until(lambda: not order.exists() and system.stopped(), f"one is stopped at {order}", LONG_S)
            domain.broker.kill()
            let_go_on(system)
            domain.broker.start()
        system.recover(case.fault, before)
    recorder.check()


@pytest.mark.parametrize("case", parameters("cut"))
def test_a_node_that_is_cut_off_in_a_rollout_has_the_result_of_the_others(
    domain: CuttableDomain, case: Case
) -> None:
    """A node without Kafka may give an earlier revision to those that go past the gateway."""
    system, wire = domain.system, domain.wire(case.victim)
    before = system.status()["revision"]
    order = give_order(system, case, signal.SIGSTOP)
    epoch, node = system.epoch(CUT_OFF), system.fleet.members[CUT_OFF]

    def lost() -> int:
        """Return how often the node, paused for a rollout, had no contact with the log."""
        return node.complaints.count("domain-out-of-contact")

    before_cut = lost()
    watched = ("gateway", "newbook-2") if case.victim == "Kafka" else ("gateway", *NODES)
    with Recorder(system, *watched) as recorder:
        with driven(system, case.stage.way, case.barrier, order):
            until(lambda: not order.exists() and system.stopped(), f"one is stopped at {order}", LONG_S)
            assert wire.cut(case.cut), "the node has another way"
            let_go_on(system)
            try:
                until(system.is_decided, "the others have decided", LONG_S)
                if case.victim == "Consul":
                    until(lambda: system.epoch(CUT_OFF) != epoch, "it is evicted", LONG_S)
                elif case.barrier == "prepare" and case.stage.name != "load":
                    until(lambda: lost() > before_cut, "it has waited for the log in vain", LONG_S)
            finally:
                wire.heal()
        system.recover(f"cut off from {case.victim}, {case.cut}", before)
    recorder.check()
