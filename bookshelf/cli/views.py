"""`bookshelf views`: rebuild a view's rows from the log."""

import os
import sys

import click
from rich.console import Console
from rich.progress import Progress

from bookshelf.cli.admin_client import operator
from bookshelf.cli.faults import guarded, stop
from bookshelf.cli.loop import run
from bookshelf.config import Settings, read
from bookshelf.runtime.logs import configure


@click.group()
def views() -> None:
    """Look after the views."""


@views.command()
@click.argument("name")
@click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")
@click.option(
    "--instance", metavar="NAME", help="The instance of `bookshelf run` on that folder, like booklist-8084."
)
def rebuild(name: str, data: str | None, instance: str | None) -> None:
    """Make the rows of view NAME anew from the log, beside the live ones, then swap."""
    guarded(lambda: run(_rebuild(_settings(data), instance, name)))


def _settings(data: str | None) -> Settings:
    settings = read(os.environ, data=data)
    configure("critical", settings.log_format)
    return settings


async def _rebuild(settings: Settings, instance: str | None, name: str) -> None:
    console = Console(stderr=True, quiet=not sys.stderr.isatty())
    with Progress(console=console, transient=True) as progress:
        bar = progress.add_task(name)
        async with operator(settings, instance) as there:
            async for step in there.stream("POST", f"/views/{name}/rebuild"):
                progress.update(bar, completed=step["done"], total=step["total"])
    if step["fault"] is not None:
        stop(f"{name} was not rebuilt, its rows are as they were: {step['fault']}")
    click.echo(f"{name} is rebuilt from {step['total']} records.")
