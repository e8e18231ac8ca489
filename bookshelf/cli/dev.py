"""`bookshelf dev`: servers to develop with."""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import click

from bookshelf.cli.command import guarded, run
from bookshelf.galera.cluster import ALL, Cluster
from bookshelf.galera.control import answering, ask, ended, owned, prepared

_NUMBERS = click.IntRange(1, ALL)


@click.group()
def dev() -> None:
    """Run servers to develop with."""


@dev.command()
@click.option("--nodes", type=click.Choice(["1", "3"]), default="1", help="How many; 3 also while one runs.")
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="Where the rows are kept.")
@click.option("--port", type=click.IntRange(1024, 65000), help="The port of the first node; else a free one.")
@click.option("--kill", "killed", type=_NUMBERS, help="End a node as a crash would.")
@click.option("--start", "started", type=_NUMBERS, help="Start a node that has ended.")
@click.option("--status", is_flag=True, help="Show the nodes.")
@click.option("--stop", "stopped", is_flag=True, help="End all nodes.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object on a line.")
def mariadb(  # noqa: PLR0913 (options of the command line)
    *,
    nodes: str,
    folder: Path | None,
    port: int | None,
    killed: int | None,
    started: int | None,
    status: bool,
    stopped: bool,
    as_json: bool,
) -> None:
    """Run MariaDB on this machine, alone or as a Galera cluster of three nodes, until Ctrl-C.

    While it runs, the same command changes it: --nodes 3 adds two nodes, --kill and --start end and start
    one. The programs are those of the packages mariadb-server, galera-4 and rsync; they never run as root.
    """
    request = _request(int(nodes), killed, started, status=status, stopped=stopped)

    def show(found: dict[str, Any]) -> None:
        click.echo(json.dumps(found) if as_json else _lines(found))

    def carry_out() -> None:
        place = prepared(folder or Path(tempfile.gettempdir()) / f"bookshelf-mariadb-{os.geteuid()}")
        with owned(place) as is_first:
            if not is_first:
                run(_asked(place, request, show))
            elif "grow" not in request:
                message = f"no servers run in {place}; start them without this option"
                raise click.UsageError(message)
            else:
                run(_served(place, request["grow"], port, show))

    guarded(carry_out)


def _request(
    nodes: int, killed: int | None, started: int | None, *, status: bool, stopped: bool
) -> dict[str, Any]:
    """Return what is asked for: one thing. Raises `UsageError`."""
    asked: dict[str, Any] = {"kill": killed, "start": started, "status": status, "stop": stopped}
    asked = {name: value for name, value in asked.items() if value}
    if len(asked) > 1:
        msg = "give one of --kill, --start, --status and --stop"
        raise click.UsageError(msg)
    return asked or {"grow": nodes}


def _lines(found: dict[str, Any]) -> str:
    nodes = [
        f"node {node['number']}: port {node['port']}, "
        + (f"process {node['pid']}, {node['state']}" if node["pid"] else node["state"])
        for node in found["nodes"]
    ]
    return "\n".join([*nodes, f"storage={found['storage']}"])


async def _asked(folder: Path, request: dict[str, Any], show: Callable[[dict[str, Any]], None]) -> None:
    show(await ask(folder, request))
    if "stop" in request:
        await ended(folder)


async def _served(
    folder: Path, number: int, port: int | None, show: Callable[[dict[str, Any]], None]
) -> None:
    """Run the nodes until a signal, or until another process asks for the end."""
    cluster, ending = Cluster(folder, port, lambda line: click.echo(line, err=True)), asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, ending.set)
    try:
        async with answering(folder, cluster, ending):
            if await _before(ending, cluster.grow(number)):
                show(await cluster.status())
                await ending.wait()
                await cluster.stop()
    finally:
        await cluster.kill_all()


async def _before(ending: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do some work; return False, and leave it, if the end comes first."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(ending.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            return False
        await working
        return True
    finally:
        for task in (working, waiting):
            task.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
