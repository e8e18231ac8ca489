"""The log is away for all nodes in a rollout, longer than any patience: none is removed, all ends once."""

import signal
import time
from collections.abc import Iterator

import pytest
from support.cuttable_domain import CUT_OFF, CuttableDomain, cuttable_domain
from support.rollout_system import GATEWAYS, LONG_S, NODES, Recorder, driven
from support.until import until

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.needs("kafka", "consul")]
MEMBERS = ("rollouts-1", "rollouts-2", *NODES, *GATEWAYS)
#: Seconds without the log.
AWAY_S = 30.0


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CuttableDomain]:
    with cuttable_domain(tmp_path_factory.mktemp("domain")) as running:
        yield running


@pytest.mark.parametrize(
    ("stage", "text"), [("prepared", "rollout-prepared"), ("deploy", '"phase":"deploy"')]
)
@pytest.mark.parametrize("how", ["silent", "refused"])
def test_no_node_is_removed_while_the_log_is_away_for_all(
    domain: CuttableDomain, stage: str, text: str, how: str
) -> None:
    system, node = domain.system, CUT_OFF["node"]
    system.commit()
    before, epochs = system.status()["revision"], {name: system.epoch(name) for name in MEMBERS}

    def away() -> int:
        """Return how often nodes have lost the log."""
        return sum(system.fleet.members[name].complaints.count("log-is-away") for name in MEMBERS)

    before_cut = away()
    order = system.order(node, "read", "before", signal.SIGSTOP, text)
    with Recorder(system) as recorder:
        with driven(system, "commit", "prepare", order):
            until(lambda: not order.exists() and system.stopped(), f"it has come to {stage}", LONG_S)
            if how == "silent":
                domain.broker.send(signal.SIGSTOP)
            else:
                domain.broker.kill()
            for name in system.stopped():
                system.fleet.members[name].send(signal.SIGCONT)
            until(lambda: away() >= before_cut + len(MEMBERS), "all have lost the log", LONG_S)
            time.sleep(AWAY_S)  # sleep: what must not happen is given the time for it
            if how == "silent":
                domain.broker.send(signal.SIGCONT)
            else:
                domain.broker.start()
        system.recover(f"away for all, {how}", before)
    recorder.check()
    assert {name: system.epoch(name) for name in MEMBERS} == epochs
