"""`bookshelf bench`: figures of this machine, as JSON."""

import asyncio
import signal
import sys
from functools import partial
from typing import Any

import click
import msgspec

from bookshelf.bench.measurement import BenchFault, Plan
from bookshelf.bench.run import MEASUREMENTS, chosen, measured
from bookshelf.cli.faults import guarded
from bookshelf.cli.loop import run
from bookshelf.runtime.logs import configure

_OWN = Plan()
_NAMES = [one.name for one in MEASUREMENTS]
_LIST = "; ".join(f"{one.name}: {one.what}{' (only by name or --all)' * one.large}" for one in MEASUREMENTS)


@click.command(epilog=_LIST)
@click.argument("names", metavar="[NAME]...", nargs=-1, type=click.Choice(_NAMES))
@click.option("--all", "everything", is_flag=True, help="Also what takes minutes.")
@click.option(
    "--runs", type=click.IntRange(1, 100), default=_OWN.runs, show_default=True, help="Runs of each."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.05, 600),
    default=_OWN.seconds,
    show_default=True,
    help="Of each load.",
)
@click.option(
    "--books", type=click.IntRange(20, 10_000_000), help="Books on the shelf, not each one's own number."
)
@click.option("--json", "_", is_flag=True, help="Print JSON, as it does anyway.")
def bench(names: tuple[str, ...], *, everything: bool, _: bool, **plan: Any) -> None:  # noqa: ANN401 (Plan's)
    """Measure this machine; print figures as JSON, and judge none."""
    configure("error", "auto")
    try:
        guarded(lambda: run(_bench(names, Plan(**plan), everything=everything)))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)


async def _bench(names: tuple[str, ...], plan: Plan, *, everything: bool) -> None:
    this = asyncio.current_task()
    assert this is not None  # noqa: S101 (it runs)
    # what was begun is ended: no shelf runs on, no folder is left
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    try:
        report = await measured(chosen(names, everything=everything), plan, partial(click.echo, err=True))
    except* BenchFault as faults:
        click.echo(f"bookshelf: {_first(faults)}", err=True)
        sys.exit(1)
    click.echo(msgspec.json.format(msgspec.json.encode(report)))


def _first(fault: BaseException) -> BaseException:
    return _first(fault.exceptions[0]) if isinstance(fault, BaseExceptionGroup) else fault
