"""`bookshelf dlq`, `views` and `log-level`: requests to the admin API of a process on the data folder.

If no process runs there, `dlq` and `views` run the shelf in this process until they are done.
"""

import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, get_args

import click
import msgspec
from rich.console import Console
from rich.progress import Progress

from bookshelf.cli.command import guarded, run, stop
from bookshelf.config import INSTANCES, Settings, read
from bookshelf.cqrs.position import parse_position
from bookshelf.cqrs.service import Service
from bookshelf.http.client import RemoteHandler
from bookshelf.http.message import BytesBody, Handler, request
from bookshelf.runtime.data_folder import InstanceNote, running
from bookshelf.runtime.logs import Level, configure
from bookshelf.services import SERVICES

F = TypeVar("F", bound=Callable[..., object])


class AdminClient:
    """Sends an operator's requests to one admin API."""

    def __init__(self, api: Handler, token: str) -> None:
        self._api = api
        self._token = token

    async def send(self, method: str, target: str, body: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Send a request; return the JSON of its answer, or end the command with the problem's detail."""
        lines = [line async for line in self.stream(method, target, body)]
        return lines[-1] if lines else None

    async def stream(
        self, method: str, target: str, body: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Any]:
        """Send a request; yield the JSON of each line of the answer as it arrives."""
        content = b"" if body is None else msgspec.json.encode(body)
        headers = {"Authorization": f"Bearer {self._token}", "Content-Length": str(len(content))}
        if content:
            headers["Content-Type"] = "application/json"
        answer = await self._api.handle(request(method, target, content, **headers))
        rest = b""
        async for piece in BytesBody(answer.body).stream() if isinstance(answer.body, bytes) else answer.body:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield msgspec.json.decode(line)
        last = msgspec.json.decode(rest) if rest else None
        if answer.status >= 400:  # noqa: PLR2004 (HTTP's line between answers and refusals)
            stop(last["detail"] if isinstance(last, dict) else f"the shelf refused ({answer.status})")
        if last is not None:
            yield last


@asynccontextmanager
async def admin_client(
    settings: Settings, instance: str | None = None, only: Sequence[Service] = ()
) -> AsyncIterator[AdminClient]:
    """Yield a client of the process that runs on the data folder; if none does, run one until the block ends.

    `instance`: use the instance of `bookshelf run` with this name, which must be running. `only`: run these
    services, with accounts, also on a new folder. Without it all services run, also those of accounts if the
    folder has a keyring: their dead letters are there even while accounts are off.
    """
    note = running(settings.folder) if instance is None else _named(settings, instance)
    if note is None:
        if not only:
            _require_shelf(settings)
        from bookshelf.cli.embedded import embedded  # noqa: PLC0415 (most commands ask a running shelf)
        from bookshelf.runtime.keyring_backup import KEYRING_FILE  # noqa: PLC0415 (as above)

        accounts = bool(only) or (settings.folder / KEYRING_FILE).exists()
        async with embedded(settings.private(accounts=accounts), only or SERVICES) as own:
            yield AdminClient(own.admin, own.token)
        return
    async with _remote(note) as client:
        yield client


@asynccontextmanager
async def _remote(note: InstanceNote) -> AsyncIterator[AdminClient]:
    api = RemoteHandler(f"http://{note.control_host}:{note.control_port}")
    try:
        yield AdminClient(api, note.token)
    finally:
        await api.close()


def _instances(settings: Settings) -> list[str]:
    """Return the names of the instances that run on this data folder now."""
    folders = (settings.folder / INSTANCES).glob("*")
    return sorted(folder.name for folder in folders if running(folder) is not None)


def _named(settings: Settings, instance: str) -> InstanceNote:
    note = running(settings.instance_folder(instance))
    if note is None:
        names = ", ".join(_instances(settings)) or "none"
        stop(f"no instance {instance} runs on {settings.folder}; those that run: {names}")
    return note


def _require_shelf(settings: Settings) -> None:
    """End the command if the folder has no shelf; name the instances that run there, if there are any."""
    if (settings.folder / "log.sqlite").exists():
        return
    if names := _instances(settings):
        stop(f"these run on {settings.folder}: {', '.join(names)}; choose one with --instance")
    stop(f"there is no shelf in {settings.folder}; name its folder with --data")


def _shelf_options(command: F) -> F:
    """Add the options that choose the process to a command."""
    data = click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")
    instance = click.option(
        "--instance",
        metavar="NAME",
        help="The instance of `bookshelf run` on that folder, like booklist-8084.",
    )
    return data(instance(command))


_process_option = click.option("--process", metavar="NAME", help="Only of this process.")


@click.group()
def dlq() -> None:
    """Dead letters: list them, apply them again, or drop them."""
    configure("critical", "auto")


@dlq.command("list")
@_shelf_options
@_process_option
@click.option("--json", "as_json", is_flag=True, help="Print them as one JSON array.")
def list_(data: str | None, instance: str | None, process: str | None, *, as_json: bool) -> None:
    """List the dead letters, and the records that they hold back."""

    async def print_list() -> None:
        async with admin_client(read(os.environ, data=data), instance) as client:
            letters = await client.send("GET", "/letters")
        letters = [letter for letter in letters if process in {None, letter.get("process")}]
        if as_json:
            click.echo(msgspec.json.encode(letters))
            return
        for letter in letters:
            reader = letter.get("view") or letter["process"]
            click.echo(f"{reader}  {letter['position']}  {letter['key']}  {letter['reason']}")
        click.echo(f"{len(letters)} dead letters.")

    guarded(lambda: run(print_list()))


@dlq.command()
@_shelf_options
@click.option("--view", metavar="NAME", help="Only of this view.")
@_process_option
@click.option("--key", help="Only of this aggregate's id.")
def retry(
    data: str | None, instance: str | None, view: str | None, process: str | None, key: str | None
) -> None:
    """Apply them again, in order; for a process: send their commands."""

    async def apply_again() -> None:
        async with admin_client(read(os.environ, data=data), instance) as client:
            done = await client.send("POST", "/letters/retry", {"view": view, "process": process, "key": key})
            left = await client.send("GET", "/letters")
        click.echo(f"{done['applied']} applied, {len(left)} left.")

    guarded(lambda: run(apply_again()))


@dlq.command()
@click.argument("position")
@_shelf_options
@click.option("--process", metavar="NAME", help="Only for this process.")
def drop(position: str, data: str | None, instance: str | None, process: str | None) -> None:
    """Give up the record at POSITION (like bookshelf/0@42), for all readers or one process."""

    async def give_up() -> None:
        try:
            parse_position(position)
        except ValueError as fault:
            stop(str(fault))
        async with admin_client(read(os.environ, data=data), instance) as client:
            done = await client.send("POST", "/letters/drop", {"position": position, "process": process})
        if not done["dropped"]:
            stop(f"there is no dead letter at {position}")
        click.echo(f"{position} is given up; what waited behind it is applied.")

    guarded(lambda: run(give_up()))


@click.group()
def views() -> None:
    """Look after the views."""


@views.command()
@click.argument("name")
@_shelf_options
def rebuild(name: str, data: str | None, instance: str | None) -> None:
    """Make the rows of view NAME anew from the log, beside the live ones, then swap."""

    async def show_progress() -> None:
        settings = read(os.environ, data=data)
        configure("critical", settings.log_format)
        console = Console(stderr=True, quiet=not sys.stderr.isatty())
        with Progress(console=console, transient=True) as progress:
            bar = progress.add_task(name)
            async with admin_client(settings, instance) as client:
                async for step in client.stream("POST", f"/views/{name}/rebuild"):
                    progress.update(bar, completed=step["done"], total=step["total"])
        if step["fault"] is not None:
            stop(f"{name} was not rebuilt, its rows are as they were: {step['fault']}")
        click.echo(f"{name} is rebuilt from {step['total']} records.")

    guarded(lambda: run(show_progress()))


@click.command("log-level")
@click.argument("level", type=click.Choice(get_args(Level)))
@click.option("--data", metavar="DIR", help="The data folder that the processes run on.")
@click.option(
    "--instance", metavar="NAME", help="Only this instance of `bookshelf run`, like booklist-8084; else all."
)
def log_level(level: str, data: str | None, instance: str | None) -> None:
    """Set the log level of running processes to LEVEL, until they are restarted."""

    async def set_level() -> None:
        for name, note in _processes(read(os.environ, data=data), instance).items():
            async with _remote(note) as client:
                await client.send("PUT", "/log-level", {"level": level})
            click.echo(f"{name}: log level {level}")

    configure("critical", "auto")
    guarded(lambda: run(set_level()))


def _processes(settings: Settings, instance: str | None) -> Mapping[str, InstanceNote]:
    """Return the processes on the data folder, or the one with this name; end the command without any."""
    if instance is not None:
        return {instance: _named(settings, instance)}
    folders = {str(settings.folder): settings.folder}
    folders |= {name: settings.instance_folder(name) for name in _instances(settings)}
    found = {name: note for name, folder in folders.items() if (note := running(folder)) is not None}
    return found or stop(f"nothing runs on {settings.folder}; name the folder of a running shelf with --data")
