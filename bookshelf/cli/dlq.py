"""`bookshelf dlq`: records that a view could not apply."""

import os

import click
import msgspec

from bookshelf.cli.admin_client import operator
from bookshelf.cli.faults import guarded, stop
from bookshelf.cli.loop import run
from bookshelf.config import read
from bookshelf.cqrs.position import parse_position
from bookshelf.runtime.logs import configure

_data = click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")
_instance = click.option(
    "--instance", metavar="NAME", help="The instance of `bookshelf run` on that folder, like booklist-8084."
)
_view = click.option("--view", metavar="NAME", help="Only of this view.")


@click.group()
def dlq() -> None:
    """Dead letters: list them, apply them again, or drop them."""
    configure("critical", "auto")


@dlq.command("list")
@_data
@_instance
@click.option("--json", "as_json", is_flag=True, help="Print them as one JSON array.")
def list_(data: str | None, instance: str | None, *, as_json: bool) -> None:
    """List the parked records, and those that wait behind them."""
    guarded(lambda: run(_list(data, instance, as_json=as_json)))


async def _list(data: str | None, instance: str | None, *, as_json: bool) -> None:
    async with operator(read(os.environ, data=data), instance) as there:
        letters = await there.order("GET", "/letters")
    if as_json:
        click.echo(msgspec.json.encode(letters))
        return
    for letter in letters:
        click.echo(f"{letter['view']}  {letter['position']}  {letter['key']}  {letter['reason']}")
    click.echo(f"{len(letters)} dead letters.")


@dlq.command()
@_data
@_instance
@_view
@click.option("--key", help="Only of this aggregate's id.")
def retry(data: str | None, instance: str | None, view: str | None, key: str | None) -> None:
    """Apply them again, in order."""
    guarded(lambda: run(_retry(data, instance, view, key)))


async def _retry(data: str | None, instance: str | None, view: str | None, key: str | None) -> None:
    async with operator(read(os.environ, data=data), instance) as there:
        done = await there.order("POST", "/letters/retry", {"view": view, "key": key})
        left = await there.order("GET", "/letters")
    click.echo(f"{done['applied']} applied, {len(left)} left.")


@dlq.command()
@click.argument("position")
@_data
@_instance
def drop(position: str, data: str | None, instance: str | None) -> None:
    """Give up the record at POSITION (like bookshelf/0@42), for every view and owner that can't apply it."""
    guarded(lambda: run(_drop(position, data, instance)))


async def _drop(position: str, data: str | None, instance: str | None) -> None:
    try:
        parse_position(position)
    except ValueError as fault:
        stop(str(fault))
    async with operator(read(os.environ, data=data), instance) as there:
        done = await there.order("POST", "/letters/drop", {"position": position})
    if not done["dropped"]:
        stop(f"there is no dead letter at {position}")
    click.echo(f"{position} is given up; what waited behind it is applied.")
