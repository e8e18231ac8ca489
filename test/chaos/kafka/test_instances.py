"""Instances that are killed, terminated, added and removed."""

import asyncio
from collections.abc import Callable

import pytest
from chaos.kafka.trial import ROUNDS, Fault, seeded_random
from support.fleet import AGGREGATES, PARTITIONS, Fleet
from support.kafka_proxy import END_TXN, BackgroundLoop
from support.proxied_kafka import ProxiedBroker
from support.until import until

from bookshelf.log.kafka.log import KafkaLog
from bookshelf.log.kafka.settings import KafkaSettings, Topic
from bookshelf.shelf.events import TOPIC

pytestmark = [pytest.mark.needs("kafka", "consul"), pytest.mark.chaos]


@pytest.mark.parametrize(
    "service",
    ["newbook", *(pytest.param(one, marks=pytest.mark.slow) for one in ("readbook", "booklist", "gateway"))],
)
def test_an_instance_is_killed(fleet: Fleet, fault: Fault, service: str) -> None:
    random = seeded_random(service)
    with fault(f"{service}: kill -9") as trial:
        for _ in range(ROUNDS):
            trial.under_load(random.randint(1, 100))
            random.choice(fleet.of(service)).kill()
            trial.over()
            if service not in AGGREGATES:  # there is no other
                fleet.whole()
            trial.recovered()
            fleet.whole()
    if service in AGGREGATES:
        # commands are held until the partitions have moved; these writers have less patience than that
        assert set(trial.load.failures) <= {0}


@pytest.mark.slow
@pytest.mark.parametrize("landed", [False, True], ids=["before", "after"])
def test_owners_are_killed_around_their_commit(
    fleet: Fleet, fault: Fault, behind: ProxiedBroker, *, landed: bool
) -> None:
    """Before: what they asked to be committed reaches the broker only when their successors are there."""
    when = "after a commit, before the answer" if landed else "before a commit, which comes too late"
    with fault(f"all owners: kill -9 {when}") as trial:
        for _ in range(ROUNDS):
            trial.under_load()
            (behind.wire.mute if landed else behind.wire.hold)(END_TXN)
            until(lambda: behind.wire.muted if landed else behind.wire.held, "a commit is on its way")
            for member in [one for service in AGGREGATES for one in fleet.of(service)]:
                member.kill()
            trial.over()
            behind.wire.let_pass()
            fleet.whole()
            behind.wire.heal()
            trial.recovered()


@pytest.mark.slow
@pytest.mark.parametrize("service", AGGREGATES)
def test_an_instance_is_terminated(fleet: Fleet, fault: Fault, service: str) -> None:
    with fault(f"{service}: SIGTERM") as trial:
        for _ in range(ROUNDS):
            trial.under_load()
            trial.over()
            fleet.retire(f"{service}-1")
            trial.recovered()
            fleet.whole()
            trial.load.goes_on()
    assert trial.load.failures == []


@pytest.mark.slow
def test_a_service_is_scaled_out_and_in(fleet: Fleet, fault: Fault) -> None:
    fleet.whole([1])
    _moves(fault, "1 to 2 instances", lambda: fleet.start("newbook", 2))
    _moves(fault, "2 to 3 instances", lambda: fleet.start("newbook", 3))
    _moves(fault, "3 to 2 instances", lambda: fleet.retire("newbook-1"))  # not the one that came last
    _moves(fault, "2 to 1 instances", lambda: fleet.retire("newbook-3"))


def _moves(fault: Fault, name: str, move: Callable[[], object]) -> None:
    with fault(f"newbook: {name}") as trial:
        trial.under_load()
        trial.over()
        move()
        trial.recovered()
    assert trial.load.unsure == set()


async def _come_and_go(broker: str, times: int) -> None:
    settings = KafkaSettings(bootstrap=broker, partitions=PARTITIONS)

    async def nothing(_: frozenset[int]) -> None:
        """Own what one is given, and do nothing with it."""

    log = await KafkaLog.open(settings, [Topic(TOPIC)])
    try:
        for _ in range(times):
            member = await log.join("newbook", TOPIC, nothing, nothing)
            await member.leave()
    finally:
        await log.close()


@pytest.mark.slow
def test_the_group_is_rebalanced_repeatedly(
    fleet: Fleet, fault: Fault, background_loop: BackgroundLoop
) -> None:
    with fault("newbook: a rebalance storm") as trial:
        trial.under_load()
        storm = asyncio.run_coroutine_threadsafe(_come_and_go(fleet.broker, 5 * ROUNDS), background_loop.loop)
        storm.result(60)
        trial.recovered()
