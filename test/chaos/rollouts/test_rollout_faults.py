"""Faults in rollouts on Kafka and Consul: kills, stops, departures, joins, a lost broker, and cut networks.

The owner dies, stops or leaves before or after it appends the event that begins a stage, a node or a gateway
before or after it reads it; there, too, one is cut off, the broker is killed, or another node joins. Clients
of both gateways record the revision and the time of each answer meanwhile: no request that began after an
answer of a revision is answered from an earlier one.
"""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cuttable_domain import CUT_OFF, CuttableDomain, cuttable_domain
from support.rollout_cases import CASES, Case, numbers
from support.rollout_system import (
    GATEWAYS,
    LONG_S,
    NODES,
    Recorder,
    RolloutSystem,
    What,
    driven,
)
from support.until import until

pytestmark = [pytest.mark.chaos, pytest.mark.needs("kafka", "consul")]
SIGNALS = {"kill": signal.SIGKILL, "leave": signal.SIGTERM, "stop": signal.SIGSTOP}
JOINS = "newbook-3"
#: The stages after which a node that is cut off from the log is paused, if the barrier is `prepare`.
PAUSED = ("prepared", "pause", "deploy", "undone")


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


def what_changes(case: Case) -> What:
    """Return what a rollout changes: what happens to a gateway happens while it is paused, too."""
    return "settings" if case.victim == "gateway" else "policy"


def give_order(system: RolloutSystem, case: Case, sent: signal.Signals) -> Path:
    """Have the victim of a case send itself a signal; return the file, which is gone when it does."""
    if case.stage.way == "stop":
        system.order("newbook-2", "read", "before", signal.SIGSTOP, '"phase":"deploy"')
    owner = ("rollouts-1", "append")
    name, action = owner if case.victim == "owner" else (CUT_OFF.get(case.victim, NODES[0]), "read")
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
        with driven(system, case.stage.way, case.barrier, order, what_changes(case)):
            until(system.dead, f"one has ended at {order}", LONG_S)
            for name in system.dead():
                system.start(name).ready()
            let_go_on(system)
        system.recover(case.fault, before)
    recorder.check()


@pytest.mark.parametrize("case", parameters("stop"))
def test_a_process_that_was_stopped_has_the_result_of_the_others(domain: CuttableDomain, case: Case) -> None:
    """Clients of the gateways see no earlier revision of it; it may give one to those that go past them."""
    system = domain.system
    before = system.status()["revision"]
    order = give_order(system, case, signal.SIGSTOP)
    with Recorder(system, *GATEWAYS) as recorder:
        with driven(system, case.stage.way, case.barrier, order, what_changes(case)):
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
    with Recorder(system, *NODES, JOINS, *GATEWAYS) as recorder:
        with driven(system, case.stage.way, case.barrier, order, what_changes(case)) as answer:
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
        with driven(system, case.stage.way, case.barrier, order, what_changes(case)):
            until(lambda: not order.exists() and system.stopped(), f"one is stopped at {order}", LONG_S)
            domain.broker.kill()
            let_go_on(system)
            domain.broker.start()
        system.recover(case.fault, before)
    recorder.check()


@pytest.mark.parametrize("case", parameters("cut"))
def test_what_is_cut_off_in_a_rollout_has_the_result_of_the_others(
    domain: CuttableDomain, case: Case
) -> None:
    """What has lost the log in a rollout is removed, so that the others go on to the next revision.

    A node without Kafka may give an earlier revision to those that go past the gateways.
    """
    system, name = domain.system, CUT_OFF[case.victim]
    wire, before = domain.wire(name, case.server), system.status()["revision"]
    order = give_order(system, case, signal.SIGSTOP)
    epoch, member = system.epoch(name), system.fleet.members[name]

    def lost() -> int:
        """Return how often it had no contact with the log while it was paused for a rollout."""
        return member.complaints.count("domain-out-of-contact")

    before_cut = lost()
    others = (*GATEWAYS, *(node for node in NODES if (node, case.server) != (name, "Kafka")))
    with Recorder(system, *others) as recorder:
        with driven(system, case.stage.way, case.barrier, order, what_changes(case)):
            silent = ["newbook-2"] if case.stage.way == "stop" else []
            stopped = {name, *silent}
            until(lambda: stopped <= {*system.stopped()}, f"{stopped} are stopped", LONG_S)
            assert wire.cut(case.cut), "it has another way"
            member.send(signal.SIGCONT)  # it votes: what is cut is not its way to the owner
            try:
                if silent:
                    until(lambda: system.status().get("state") != "deploy", "one was silent", LONG_S)
                let_go_on(system)
                until(system.has_ended, "the others have decided, and undone what they had to", LONG_S)
                if case.server == "Consul":
                    until(lambda: system.epoch(name) != epoch, "it is evicted", LONG_S)
                else:
                    until(lambda: system.is_decided_without([name]), "it is removed", LONG_S)
                    before = system.commit_by_members()
                    if case.barrier == "prepare" and case.stage.name in PAUSED:
                        until(lambda: lost() > before_cut, "it has waited for the log in vain", LONG_S)
            finally:
                wire.heal()
        system.recover(f"cut off from {case.server}, {case.cut}", before)
    recorder.check()
