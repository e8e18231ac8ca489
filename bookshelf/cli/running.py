"""`bookshelf run SERVICE`: one service, or the gateway, among many, on Kafka and Consul."""

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import replace

import click

from bookshelf.cli.faults import guarded, stop
from bookshelf.cli.loop import collect_rarely, until_told
from bookshelf.cli.loop import run as run_loop
from bookshelf.config import Network, Settings, read, read_network, with_port
from bookshelf.cqrs.service import Service
from bookshelf.runtime.logs import configure
from bookshelf.services import SERVICES

_GATEWAY = "gateway"
_NAMES = [*(service.name for service in SERVICES), _GATEWAY]


@click.command()
@click.argument("service", type=click.Choice(_NAMES))
@click.option("--broker", metavar="ADDR", help="A Kafka broker, like 127.0.0.1:9092; several with commas.")
@click.option("--consul", metavar="ADDR", help="The Consul agent, like 127.0.0.1:8500.")
@click.option("--host", help="The address to listen on; loopback unless you say otherwise.")
@click.option(
    "--addr", metavar="ADDR", help="The address that others find it at; auto: as the agent sees it."
)
@click.option("--port", type=int, help="The port to listen on; the service's own unless you say otherwise.")
@click.option("--id", "name", help="A name for this instance's folder, if several run on one machine.")
@click.option("--tags", help="Tags to be found by, with commas, in place of the service's own.")
@click.option(
    "--group",
    metavar="NAME",
    help="Comes before the name of the consumer group that divides the partitions: NAME.newbook.",
)
@click.option(
    "--data", metavar="DIR", help="The folder for rows and states, which are made again if it is gone."
)
@click.option(
    "--delay", type=click.FloatRange(min=0), default=0.0, help="Seconds to wait before anything else."
)
def run(  # noqa: PLR0913, PLR0917 (one for each option)
    service: str,
    broker: str | None,
    consul: str | None,
    host: str | None,
    addr: str | None,
    port: int | None,
    name: str | None,
    tags: str | None,
    group: str | None,
    data: str | None,
    delay: float,
) -> None:
    """Run SERVICE on Kafka and Consul, until SIGTERM or Ctrl-C; run it as often as you like."""

    def go() -> None:
        own = {"BOOKSHELF_PORT": str(_own_port(service))}
        settings = read(own | dict(os.environ), data=data, host=host, port=port)
        configure(settings.log_level, settings.log_format)
        brokers = broker and ",".join(with_port(one, "9092") for one in broker.split(","))
        agent = consul and with_port(consul, "8500")
        network = read_network(os.environ, broker=brokers, consul=agent, address=addr, id=name, group=group)
        run_loop(_run(_chosen(service, tags), settings, network, delay))

    guarded(go)


def _own_port(name: str) -> int:
    return next((service.port for service in SERVICES if service.name == name), Settings().port)


def _chosen(name: str, tags: str | None) -> Service | None:
    """Return the service with the tags to be found by; None for the gateway."""
    service = next((one for one in SERVICES if one.name == name), None)
    if service is None or tags is None:
        return service
    given = tuple(tag.strip() for tag in tags.split(",") if tag.strip())
    return replace(service, tags=given) if given else stop("--tags: name at least one tag")


async def _run(service: Service | None, settings: Settings, network: Network, delay: float) -> None:
    async def serve(ready: asyncio.Event, leaving: asyncio.Event) -> None:
        collect_rarely()
        await asyncio.sleep(delay)
        async with AsyncExitStack() as stack:
            await (
                _gateway(settings, network, stack)
                if service is None
                else _service(service, settings, network, stack)
            )
            ready.set()
            await leaving.wait()

    await until_told(serve)


async def _service(service: Service, settings: Settings, network: Network, stack: AsyncExitStack) -> None:
    # here, and below, so that neither starts with what only the other needs
    from bookshelf.cli.instance import begin  # noqa: PLC0415

    url = await begin(service, settings, network, stack)
    click.echo(f"{service.name} is ready at {url}")


async def _gateway(settings: Settings, network: Network, stack: AsyncExitStack) -> None:
    from bookshelf.cli.door import open_gateway  # noqa: PLC0415

    url = await open_gateway(settings, network, stack)
    click.echo(f"the gateway is ready at {url}/bookshelf/books")
