"""`bookshelf forward`: ports of this machine that lead to instances elsewhere, as many as there are.

For docker-compose alone: a port can be published by one container, and a service may have several.
"""

import asyncio
import contextlib
from contextlib import AsyncExitStack

import click

from bookshelf.cli.command import guarded, run, run_until_signalled, stop
from bookshelf.services import SERVICES

_CHUNK = 64 * 1024
#: Seconds that a connection to an instance may take.
_CONNECT_S = 3.0


@click.command()
@click.argument("hosts", nargs=-1, required=True, metavar="SERVICE=HOST...")
@click.option("--host", default="127.0.0.1", help="The address to listen on.")
def forward(hosts: tuple[str, ...], host: str) -> None:
    """Listen on the own port of each SERVICE, and pass every connection on to an instance at HOST."""
    ports = {service.name: service.port for service in SERVICES}
    wanted = {name: target for name, _, target in (one.partition("=") for one in hosts)}
    if unknown := sorted(wanted.keys() - ports.keys()):
        stop(f"no service is named {unknown[0]}; there are {', '.join(ports)}")
    guarded(lambda: run(_forward({ports[name]: target for name, target in wanted.items()}, host)))


async def _forward(targets: dict[int, str], host: str) -> None:
    async def serve(ready: asyncio.Event, leaving: asyncio.Event) -> None:
        async with AsyncExitStack() as stack:
            for port, target in targets.items():
                server = await asyncio.start_server(PortForwarder(target, port).serve, host, port)
                stack.callback(server.close)
            click.echo(f"forwarding {', '.join(map(str, targets))}")
            ready.set()
            await leaving.wait()

    await run_until_signalled(serve)


class PortForwarder:
    """Passes connections on to one host name; the name's resolver chooses the instance of each."""

    def __init__(self, target: str, port: int) -> None:
        self._target = target
        self._port = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on, both ways, until one side ends; close it if the target does not answer."""
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_CONNECT_S):
                answers, asks = await asyncio.open_connection(self._target, self._port)
            try:
                await asyncio.gather(_copy(reader, asks), _copy(answers, writer))
            finally:
                asks.close()
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    writer.write_eof()
