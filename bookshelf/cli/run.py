"""`bookshelf run SERVICE`: runs one instance of a service, or the gateway, on Kafka and Consul."""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import click

from bookshelf.cli.command import collect_rarely, guarded, run_until_signalled, started, stop
from bookshelf.cli.command import run as run_loop
from bookshelf.cli.workers import WorkerPipe, shared
from bookshelf.config import GatewaySettings, Network, Settings, load, read, read_network, with_port
from bookshelf.cqrs.service import Service, check_services
from bookshelf.runtime.logs import configure
from bookshelf.services import SERVICES

_GATEWAY = "gateway"
_NAMES = [*(service.name for service in SERVICES), _GATEWAY]


@click.command()
@click.argument("service", type=click.Choice(_NAMES))
@click.option("--broker", metavar="ADDR", help="A Kafka broker, like 127.0.0.1:9092; several with commas.")
@click.option("--consul", metavar="ADDR", help="The Consul agent, like 127.0.0.1:8500.")
@click.option("--host", help="The address to listen on; loopback by default.")
@click.option(
    "--addr", metavar="ADDR", help="The address that others find it at; auto: as the agent sees it."
)
@click.option("--port", type=int, help="The port to listen on; the service's own by default.")
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
@click.option(
    "--processes", type=click.IntRange(1, 64), help="For the gateway: processes that share its port."
)
@click.option("--worker", hidden=True)
def run(
    service: str,
    *,
    tags: str | None,
    delay: float,
    processes: int | None,
    worker: str | None,
    **given: Any,  # noqa: ANN401 (the other options, by their names)
) -> None:
    """Run SERVICE on Kafka and Consul, until SIGTERM or Ctrl-C; run it as often as you like."""

    def go() -> None:
        check_services(SERVICES, {_GATEWAY: Settings().port})
        settings, network = _read(service, **given)
        one = _chosen(service, tags)
        count = _processes(one, processes)
        if count > 1 and worker is None:
            shared(sys.argv[1:], settings.host, settings.port, count)
        else:
            run_loop(_run(one, settings, network, delay, worker))

    guarded(go)


def _read(  # noqa: PLR0913 (one for each option)
    service: str,
    *,
    broker: str | None,
    consul: str | None,
    host: str | None,
    addr: str | None,
    port: int | None,
    name: str | None,
    group: str | None,
    data: str | None,
) -> tuple[Settings, Network]:
    ports = {service.name: service.port for service in SERVICES}
    own = {"BOOKSHELF_PORT": str(ports.get(service, Settings().port))}
    settings = read(own | dict(os.environ), data=data, host=host, port=port)
    configure(settings.log_level, settings.log_format)
    brokers = broker and ",".join(with_port(one, "9092") for one in broker.split(","))
    agent = consul and with_port(consul, "8500")
    network = read_network(os.environ, broker=brokers, consul=agent, address=addr, id=name, group=group)
    return settings, network


def _processes(service: Service | None, given: int | None) -> int:
    """Return the number of processes that share the port."""
    if service is None:
        return given or load(GatewaySettings, os.environ).gateway_processes
    return 1 if given is None else stop("--processes: the gateway's port is shared, no service's is")


def _chosen(name: str, tags: str | None) -> Service | None:
    """Return the service with the tags that it registers; None for the gateway."""
    service = next((one for one in SERVICES if one.name == name), None)
    if service is None or tags is None:
        return service
    given = tuple(tag.strip() for tag in tags.split(",") if tag.strip())
    return replace(service, tags=given) if given else stop("--tags: name at least one tag")


async def _run(
    service: Service | None, settings: Settings, network: Network, delay: float, worker: str | None
) -> None:
    async def serve(ready: asyncio.Event, leaving: asyncio.Event) -> None:
        collect_rarely()
        await asyncio.sleep(delay)
        async with AsyncExitStack() as stack:
            await (
                _gateway(settings, network, stack, worker)
                if service is None
                else _service(service, settings, network, stack)
            )
            started()
            ready.set()
            await leaving.wait()

    await run_until_signalled(serve)


async def _service(service: Service, settings: Settings, network: Network, stack: AsyncExitStack) -> None:
    # here, and below, so that neither starts with what only the other needs
    from bookshelf.cli.instance import begin  # noqa: PLC0415

    url = await begin(service, settings, network, stack)
    click.echo(f"{service.name} is ready at {url}")


async def _gateway(settings: Settings, network: Network, stack: AsyncExitStack, worker: str | None) -> None:
    from bookshelf.cli.run_gateway import open_gateway  # noqa: PLC0415

    one = None if worker is None else WorkerPipe.read(worker)
    url = await open_gateway(settings, network, stack, one)
    if one is None:
        click.echo(f"the gateway is ready at {url}/bookshelf/books")
    else:
        one.report(url)
