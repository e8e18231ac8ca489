"""`bookshelf log-level`: change what running processes log."""

import os
from typing import get_args

import click

from bookshelf.cli.admin_client import order_all
from bookshelf.cli.faults import guarded
from bookshelf.cli.loop import run
from bookshelf.config import read
from bookshelf.runtime.logs import Level, configure


@click.command("log-level")
@click.argument("level", type=click.Choice(get_args(Level)))
@click.option("--data", metavar="DIR", help="The data folder that the processes run on.")
@click.option(
    "--instance", metavar="NAME", help="Only this instance of `bookshelf run`, like booklist-8084; else all."
)
def log_level(level: str, data: str | None, instance: str | None) -> None:
    """Set the log level of running processes to LEVEL, until they are restarted."""
    configure("critical", "auto")
    guarded(lambda: run(_set_level(level, data, instance)))


async def _set_level(level: str, data: str | None, instance: str | None) -> None:
    settings = read(os.environ, data=data)
    async for name in order_all(settings, instance, "PUT", "/log-level", {"level": level}):
        click.echo(f"{name}: log level {level}")
