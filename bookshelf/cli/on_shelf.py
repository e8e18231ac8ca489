"""Commands that send requests to a shelf, as a person: at an address, or in a data folder, running or not."""

import os
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Any

import click

from bookshelf.cli.client import NoShelf, Shelf, shelf
from bookshelf.cli.command import guarded, run, stop
from bookshelf.cli.signing_in import Credentials, takes_login
from bookshelf.config import read
from bookshelf.runtime.logs import configure

#: Runs work with a client of the shelf that was chosen.
OnShelf = Callable[[Callable[[Shelf], Awaitable[None]]], None]


def _run(
    url: str | None, data: str | None, login: Credentials | None, work: Callable[[Shelf], Awaitable[None]]
) -> None:
    """Run `work` with a client of the shelf."""
    settings = read(os.environ, data=data)
    configure("critical", settings.log_format)

    async def once() -> None:
        async with shelf(settings, url, login, new=False) as client:
            await work(client)

    def guard() -> None:
        try:
            run(once())
        except NoShelf as fault:
            stop(str(fault))

    guarded(guard)


def on_a_shelf(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of shelf and person to a command, which gets what runs its work there: `on_shelf`."""

    @wraps(command)
    def chosen(*, url: str | None, data: str | None, login: Credentials | None, **given: Any) -> None:  # noqa: ANN401 (the other options)
        command(**given, on_shelf=partial(_run, url, data, login))

    made = click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")(
        takes_login(chosen)
    )
    return click.option("--url", help="The shelf's address, like http://localhost:8000.")(made)
