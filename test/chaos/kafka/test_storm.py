"""One fault after the other, at random moments, before the system has recovered from the last."""

import signal
from random import Random

import pytest
from chaos.kafka.fault_duration import lasts
from chaos.kafka.trial import ROUNDS, Fault, seeded_random
from support.consul import Agent
from support.consul_proxy import hangs
from support.fleet import AGGREGATES, VIEWS, Fleet
from support.kafka_proxy import END_TXN, PRODUCE
from support.proxied_consul import ProxiedConsul
from support.proxied_kafka import ProxiedBroker

pytestmark = [pytest.mark.needs("kafka", "consul"), pytest.mark.chaos, pytest.mark.slow]
#: Faults in one storm.
_FAULTS = 12


class Storm:
    """Everything that may go wrong, each for a moment or until somebody starts it again."""

    def __init__(
        self,
        fleet: Fleet,
        behind: ProxiedBroker,
        agent: Agent,
        registry: ProxiedConsul,
        seeded_random: Random,
    ) -> None:
        self._fleet, self._behind, self._agent, self._registry = fleet, behind, agent, registry
        self._random = seeded_random
        self.told: list[str] = []

    def strikes(self) -> None:
        """Do one thing, any of them, at any moment."""
        lasts(self._random.uniform(0, 1))
        every = [
            *(self.kills, self.sleeps, self.kills_the_broker, self.stops_the_broker, self.cuts),
            *(self.blackholes, self.holds, self.mutes, self.kills_consul, self.hangs_consul),
        ]
        chosen = self._random.choice(every)
        self.told.append(chosen.__name__)
        chosen()

    def _victim(self) -> str:
        return f"{self._random.choice((*AGGREGATES, *VIEWS))}-{self._random.choice('12')}"

    def kills(self) -> None:
        member = self._fleet.members.get(self._victim())
        if member is not None:
            member.kill()
            self._fleet.launch(member.service, int(member.name[-1]))

    def sleeps(self) -> None:
        member = self._fleet.members.get(self._victim())
        if member is not None and member.alive:
            member.send(signal.SIGSTOP)
            lasts(self._random.uniform(0.5, 9))
            member.send(signal.SIGCONT)

    def kills_the_broker(self) -> None:
        self._behind.broker.kill()
        self._behind.broker.start()

    def stops_the_broker(self) -> None:
        self._behind.broker.send(signal.SIGSTOP)
        lasts(self._random.uniform(0.5, 4))
        self._behind.broker.send(signal.SIGCONT)

    def cuts(self) -> None:
        self._behind.wire.cut()

    def blackholes(self) -> None:
        self._behind.wire.blackhole()
        lasts(self._random.uniform(0.5, 4))
        self._behind.wire.heal()

    def holds(self) -> None:
        self._behind.wire.hold(self._random.choice((PRODUCE, END_TXN)))
        lasts(self._random.uniform(0.1, 3))
        self._behind.wire.heal()

    def mutes(self) -> None:
        self._behind.wire.mute(self._random.choice((PRODUCE, END_TXN)))
        lasts(self._random.uniform(0.1, 2))
        self._behind.wire.heal()

    def kills_consul(self) -> None:
        self._agent.kill()
        lasts(self._random.uniform(0, 2))
        self._agent.start()

    def hangs_consul(self) -> None:
        self._registry.goes_wrong(hangs)
        lasts(self._random.uniform(0.5, 7))
        self._registry.heal()


def test_random_faults_in_sequence_lose_and_double_nothing(
    fleet: Fleet, fault: Fault, behind: ProxiedBroker, agent: Agent, registry: ProxiedConsul
) -> None:
    for number in range(ROUNDS):
        storm = Storm(fleet, behind, agent, registry, seeded_random(f"storm {number}"))
        with fault(f"a storm of {_FAULTS} of the above, at random moments, number {number + 1}") as trial:
            trial.under_load()
            for _ in range(_FAULTS):
                storm.strikes()
            trial.over()
            fleet.whole()
            trial.recovered()
