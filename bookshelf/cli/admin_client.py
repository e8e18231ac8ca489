"""The client of the admin API for commands: of a process on the data folder, or of one started here."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from bookshelf.cli.embedded import embedded
from bookshelf.cli.faults import stop
from bookshelf.config import INSTANCES, Settings
from bookshelf.http.client.transport import RemoteHandler
from bookshelf.http.message import Handler, Response, request
from bookshelf.runtime.data_folder import InstanceNote, running


class AdminClient:
    """Sends an operator's requests to one admin API."""

    def __init__(self, api: Handler, token: str) -> None:
        self._api = api
        self._token = token

    async def order(self, method: str, target: str, order: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Send a request; return the JSON of its answer, or end the command with the problem's detail."""
        lines = [line async for line in self.stream(method, target, order)]
        return lines[-1]

    async def stream(
        self, method: str, target: str, order: Mapping[str, Any] | None = None
    ) -> AsyncIterator[Any]:
        """Send a request; yield the JSON of each line of the answer as it arrives."""
        content = b"" if order is None else msgspec.json.encode(order)
        sent = request(
            method, target, content, Authorization=f"Bearer {self._token}", Content_Length=str(len(content))
        )
        answer = await self._api.handle(sent)
        rest = b""
        async for piece in _pieces(answer):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield msgspec.json.decode(line)
        last = msgspec.json.decode(rest) if rest else None
        if answer.status >= 400:  # noqa: PLR2004 (HTTP's line between answers and refusals)
            stop(last["detail"] if isinstance(last, dict) else f"the shelf refused ({answer.status})")
        if last is not None:
            yield last


async def _pieces(answer: Response) -> AsyncIterator[bytes]:
    if isinstance(answer.body, bytes):
        yield answer.body
        return
    async for piece in answer.body:
        yield piece


@asynccontextmanager
async def operator(settings: Settings, instance: str | None = None) -> AsyncIterator[AdminClient]:
    """Yield a client of the process that runs on the data folder; if none does, run one until the block ends.

    `instance`: use the instance of `bookshelf run` with this name, which must be running.
    """
    note = running(settings.folder) if instance is None else _named(settings, instance)
    if note is None:
        _no_instances(settings)
        async with embedded(settings.private()) as own:
            yield AdminClient(own.control, own.token)
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


async def order_all(
    settings: Settings, instance: str | None, method: str, target: str, order: Mapping[str, Any]
) -> AsyncIterator[str]:
    """Send a request to every process that runs on the data folder, or to one instance; yield their names."""
    if instance is not None:
        processes = {instance: _named(settings, instance)}
    else:
        folders = {str(settings.folder): settings.folder}
        folders |= {name: settings.instance_folder(name) for name in _instances(settings)}
        processes = {name: note for name, folder in folders.items() if (note := running(folder)) is not None}
    if not processes:
        stop(f"nothing runs on {settings.folder}; name the folder of a running shelf with --data")
    for name, note in processes.items():
        async with _remote(note) as client:
            await client.order(method, target, order)
        yield name


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


def _no_instances(settings: Settings) -> None:
    """End the command if the folder has no shelf; name the instances that run there, if there are any."""
    if (settings.folder / "log.sqlite").exists():
        return
    if names := _instances(settings):
        stop(f"these run on {settings.folder}: {', '.join(names)}; choose one with --instance")
    stop(f"there is no shelf in {settings.folder}; name its folder with --data")
