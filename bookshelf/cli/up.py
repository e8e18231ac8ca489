"""`bookshelf up`: runs all services and the gateway in one process."""

import asyncio
import os
from collections.abc import Sequence

import click

from bookshelf.cli.command import collect_rarely, guarded, run, run_until_signalled, started
from bookshelf.cli.embedded import Embedded, embedded
from bookshelf.config import Settings, read
from bookshelf.cqrs.service import Service
from bookshelf.http.request_check import is_loopback
from bookshelf.runtime.logs import configure
from bookshelf.services import SERVICES, chosen

_PORTS = ", ".join(str(port) for port in sorted(service.port for service in SERVICES))


@click.command()
@click.option("--data", metavar="DIR", help="The folder that everything is kept in.")
@click.option("--host", help="The address to listen on; loopback by default.")
@click.option("--port", type=int, help="The port of the shelf; 8000 by default.")
@click.option(
    "--service-ports",
    type=click.Choice(["fixed", "auto"]),
    help=f"fixed: {_PORTS} for the services, a free one where one is taken; auto: any free ones.",
)
@click.option(
    "--only",
    metavar="NAME",
    multiple=True,
    help="Run only this system (shelf, accounts, shop, photos, cluster) or service; may be repeated.",
)
def up(
    data: str | None, host: str | None, port: int | None, service_ports: str | None, only: tuple[str, ...]
) -> None:
    """Run the whole shelf in this process, until Ctrl-C."""

    def work() -> None:
        settings = read(os.environ, data=data, host=host, port=port, service_ports=service_ports)
        services = chosen(only)
        level = settings.log_level if "BOOKSHELF_LOG_LEVEL" in os.environ else "warning"
        configure(level, settings.log_format)
        run(run_until_signalled(lambda ready, leaving: _serve(settings, services, ready, leaving)))

    guarded(work)


async def _serve(
    settings: Settings, services: Sequence[Service], ready: asyncio.Event, leaving: asyncio.Event
) -> None:
    collect_rarely()
    async with embedded(settings, services) as shelf:
        started()
        click.echo(f"Your shelf: {shelf.url}/")
        click.echo(f"API docs:   {shelf.url}/apidocs/")
        click.echo(f"Data:       {settings.folder}")
        click.echo(f"Open to:    {_open_to(settings.host, shelf)}")
        if settings.has_accounts:
            click.echo("Accounts:   on; with BOOKSHELF_ACCOUNTS=off, everyone is the one reader.")
            click.echo(
                "            `bookshelf accounts create-admin` makes the first admin, while this runs."
            )
        click.echo("Ctrl-C stops it.")
        ready.set()
        await leaving.wait()
        click.echo("Stopping.")


def _open_to(host: str, shelf: Embedded) -> str:
    """Return a text that describes from where each port can be reached."""
    services = ", ".join(map(str, shelf.ports.values()))
    if is_loopback(host) and not services:
        return f"people with an account, from this machine only (port {shelf.port})"
    if is_loopback(host):
        return f"this machine only (port {shelf.port}; services: {services})"
    others = f"every machine that can reach port {shelf.port} at {host}"
    if not services:
        return f"people with an account, from {others}"
    return f"{others}, without accounts; this machine only: the services' ports {services}"
