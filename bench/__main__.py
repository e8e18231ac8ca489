"""`python -m bench`: runs the benchmarks on this machine and prints the figures as JSON."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import click
import msgspec

from bench.measurement import BenchFault, Measurement, Plan
from bench.run import MEASUREMENTS, chosen, measured, on_kafka
from bookshelf.cli.command import guarded, run, stop
from bookshelf.config import read_network, with_port
from bookshelf.runtime.logs import configure

_OWN = Plan()
#: The last three exist for Kafka only.
_NAMES = [*(measurement.name for measurement in MEASUREMENTS), "bare", "replay", "takeover"]
#: Seconds within which a broker must accept a connection.
_REACH_S = 3.0
_ON_KAFKA = (
    "with --log kafka: bare, posts, visible, replay; takeover, processes, shop, sessions, memory (only by "
    "name or --all)"
)

_LIST = "; ".join(
    f"{known.name}: {known.what}{' (only by name or --all)' * known.large}" for known in MEASUREMENTS
)


@click.command(epilog=f"{_LIST}; {_ON_KAFKA}")
@click.argument("names", metavar="[NAME]...", nargs=-1, type=click.Choice(_NAMES))
@click.option(
    "--log",
    type=click.Choice(["sqlite", "kafka"]),
    default="sqlite",
    show_default=True,
    help="The log to measure on.",
)
@click.option(
    "--broker",
    metavar="ADDR",
    help="A broker: for --log kafka, 127.0.0.1:9092 if none is set; for `cluster`, or else it runs its own.",
)
@click.option("--all", "everything", is_flag=True, help="Include the measurements that take minutes.")
@click.option(
    "--runs",
    type=click.IntRange(1, 100),
    default=_OWN.runs,
    show_default=True,
    help="Runs of each measurement.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.05, 600),
    default=_OWN.seconds,
    show_default=True,
    help="Seconds of each load.",
)
@click.option(
    "--books",
    type=click.IntRange(20, 10_000_000),
    help="Books on the shelf, instead of each measurement's default.",
)
@click.option(
    "--requests",
    type=click.IntRange(1, 1_000_000_000),
    default=_OWN.requests,
    show_default=True,
    help="The least number of requests for `soak`.",
)
@click.option("--json", "_", is_flag=True, help="Print JSON; it always does.")
def bench(
    names: tuple[str, ...],
    *,
    log: str,
    broker: str | None,
    everything: bool,
    _: bool,
    **plan: Any,  # noqa: ANN401 (the fields of Plan)
) -> None:
    """Measure this machine and print the figures as JSON."""
    configure("error", "auto")

    def go() -> None:
        try:
            among = MEASUREMENTS if log == "sqlite" else on_kafka()
            what = chosen(names, everything=everything, among=among)
        except BenchFault as fault:
            stop(str(fault))
        run(_bench(what, Plan(**plan, broker=_reached(broker) if broker or log == "kafka" else "")))

    try:
        guarded(go)
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)


def _reached(broker: str | None) -> str:
    """Return the addresses of the brokers; exit if none accepts a connection."""
    brokers = read_network(os.environ, broker=broker).kafka.bootstrap
    if not any(_answers(with_port(place, "9092")) for place in brokers.split(",")):
        stop(f"no broker answers at {brokers}: start one with `make kafka`, or name another with --broker")
    return brokers


def _answers(place: str) -> bool:
    address, _, port = place.rpartition(":")
    with contextlib.suppress(OSError, ValueError), socket.create_connection((address, int(port)), _REACH_S):
        return True
    return False


async def _bench(what: Sequence[Measurement], plan: Plan) -> None:
    this = asyncio.current_task()
    assert this is not None  # noqa: S101 (this coroutine runs in a task)
    # cancelled, so that the processes are ended and the folders removed
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    try:
        report = await measured(what, plan, partial(click.echo, err=True))
    except* BenchFault as faults:
        click.echo(f"bookshelf: {_first(faults)}", err=True)
        sys.exit(1)
    click.echo(msgspec.json.format(msgspec.json.encode(report)))


def _first(fault: BaseException) -> BaseException:
    return _first(fault.exceptions[0]) if isinstance(fault, BaseExceptionGroup) else fault


if __name__ == "__main__":
    bench(prog_name="python -m bench")
