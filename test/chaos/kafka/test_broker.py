"""A broker that is absent, dies, hangs, is cut off, is slow, and answers too late."""

import signal
import time
from pathlib import Path

import pytest
from chaos.kafka.fault_duration import lasts
from chaos.kafka.result_table import Row
from chaos.kafka.trial import ROUNDS, Fault, seeded_random, trial
from support.fleet import AGGREGATES, VIEWS, Fleet
from support.kafka_proxy import END_TXN, PRODUCE, BackgroundLoop
from support.proxied_consul import ProxiedConsul
from support.proxied_kafka import ProxiedBroker, bootstrap, proxied_brokers
from support.until import until

pytestmark = [pytest.mark.needs("kafka", "consul"), pytest.mark.chaos]
#: Seconds after which an append counts as unknown, and any question to a broker as not answered; and some.
PAST_EVERY_DEADLINE_S = 12.0


def test_the_broker_is_killed(fault: Fault, behind: ProxiedBroker) -> None:
    with fault("broker: kill -9, started again") as trial:
        for _ in range(ROUNDS):
            trial.under_load()
            behind.broker.kill()
            trial.over()
            behind.broker.start()
            trial.recovered()


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [3, 30])
def test_the_broker_is_suspended(fault: Fault, behind: ProxiedBroker, seconds: float) -> None:
    with fault(f"broker: SIGSTOP for {seconds} s") as trial:
        for _ in range(ROUNDS):
            trial.under_load()
            behind.broker.send(signal.SIGSTOP)
            try:
                lasts(seconds)
            finally:
                behind.broker.send(signal.SIGCONT)
            trial.recovered()


@pytest.mark.slow
def test_the_broker_is_partitioned_off(fault: Fault, behind: ProxiedBroker) -> None:
    with fault(f"broker: blackholed for {PAST_EVERY_DEADLINE_S:.0f} s") as trial:
        trial.under_load()
        behind.wire.blackhole()
        lasts(PAST_EVERY_DEADLINE_S)
        behind.wire.heal()
        trial.recovered()


@pytest.mark.slow
def test_the_connections_of_the_broker_are_cut(fault: Fault, behind: ProxiedBroker) -> None:
    with fault("broker: every connection cut") as trial:
        for _ in range(ROUNDS):
            trial.under_load()
            behind.wire.cut()
            trial.recovered()


@pytest.mark.slow
def test_the_broker_is_slow(fault: Fault, behind: ProxiedBroker) -> None:
    with fault("broker: 100 ms for each message of the protocol") as trial:
        trial.under_load()
        behind.wire.slow_s = 0.1
        trial.load.goes_on()
        behind.wire.heal()
        trial.recovered()


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "what"), [(PRODUCE, "a write"), (END_TXN, "a commit")])
def test_a_cancelled_append_is_committed_later(
    fault: Fault, behind: ProxiedBroker, kind: int, what: str
) -> None:
    with fault(f"broker: {what} times out, and lands later") as trial:
        trial.under_load()
        behind.wire.hold(kind)
        until(lambda: behind.wire.held, f"{what} is on its way")
        behind.wire.let_pass()
        trial.recovered()  # it was given up, and decided anew
        behind.wire.heal()
        trial.recovered()


@pytest.mark.slow
def test_a_commit_gets_no_answer(fault: Fault, behind: ProxiedBroker) -> None:
    with fault("broker: a commit lands, its answer never comes") as trial:
        trial.under_load()
        behind.wire.mute(END_TXN)
        until(lambda: behind.wire.muted, "a commit has landed")
        behind.wire.let_pass()
        trial.recovered()


@pytest.mark.slow
def test_the_broker_is_absent_at_the_start(
    tmp_path: Path, background_loop: BackgroundLoop, proxied_consul_alone: ProxiedConsul, table: list[Row]
) -> None:
    with proxied_brokers(tmp_path / "broker", background_loop) as [behind]:
        fleet = Fleet(tmp_path / "fleet", bootstrap([behind]), proxied_consul_alone.address)
        try:
            early = [fleet.launch(service, 1) for service in (*AGGREGATES, *VIEWS)]
            until(lambda: all("waiting-for-broker" in one.complaints for one in early), "they wait")
            behind.broker.start()
            began = time.monotonic()
            for one in early:
                one.ready()
            took_s = time.monotonic() - began
            fleet.whole([1])
            with trial(fleet, "broker: absent at the start", seeded_random("absent"), table) as running:
                running.under_load()
                running.recovered()
                running.seconds.append(took_s)
        finally:
            fleet.close()
