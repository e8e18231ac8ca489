"""Rollouts on processes with clocks hours apart: they are decided as ever, and a dead node is evicted."""

from collections.abc import Iterator

import pytest
from support import consul
from support.faketime import shifted
from support.fleet import fleet_of_a_domain
from support.kafka import Broker
from support.member import Member
from support.rollout_system import LONG_S, Recorder, RolloutSystem
from support.until import until

pytestmark = [pytest.mark.chaos, pytest.mark.slow, pytest.mark.needs("kafka", "consul", "faketime")]
#: Hours by which the clock of a member is ahead.
AHEAD = {"newbook-1": 1, "newbook-2": -1, "rollouts-2": 1}


class SystemOfClocks(RolloutSystem):
    """Members with clocks of their own."""

    def start(self, name: str) -> Member:
        service, number = name.split("-")
        if name not in AHEAD:
            return self.fleet.launch(service, int(number))
        return self.fleet.launch(service, int(number), shifted(AHEAD[name]))


@pytest.fixture
def system(
    tmp_path_factory: pytest.TempPathFactory, kafka_broker: Broker, consul_agent: consul.Agent
) -> Iterator[SystemOfClocks]:
    with fleet_of_a_domain(tmp_path_factory.mktemp("fleet"), kafka_broker, consul_agent) as fleet:
        yield SystemOfClocks(fleet)


def test_clocks_that_are_hours_apart_change_no_rollout(system: SystemOfClocks) -> None:
    with Recorder(system) as recorder:
        system.commit()
        system.fleet.members["rollouts-1"].kill()
        system.start("rollouts-1").ready()
        system.commit()
        system.fleet.members["newbook-2"].kill()
        until(lambda: "newbook-2" not in str(system.status()), "the killed node is evicted", LONG_S)
        system.start("newbook-2").ready()
        system.commit()
    recorder.check()
