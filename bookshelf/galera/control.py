"""The socket of a running cluster's folder, by which another process asks for a change or for its status."""

import asyncio
import contextlib
import fcntl
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from bookshelf.galera.cluster import Cluster
from bookshelf.galera.node import NodeFault

_SOCKET, _LOCK = "control", "lock"
#: Seconds that an answer may take: two nodes start meanwhile.
_ANSWER_S = 300.0
_PAUSE_S = 0.1


def prepared(folder: Path) -> Path:
    """Make a folder that servers of another user can reach; return its path. Raises `NodeFault`."""
    folder = folder.absolute()
    folder.mkdir(mode=0o711, parents=True, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        msg = f"{folder} belongs to another user; choose another one with --folder"
        raise NodeFault(msg)
    return folder


@contextmanager
def owned(folder: Path) -> Iterator[bool]:
    """Yield whether this process alone runs the servers of the folder, until the end of the block."""
    with (folder / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


async def ended(folder: Path) -> None:
    """Wait until no process runs the servers of the folder. Raises `NodeFault`."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            while True:
                with owned(folder) as alone:
                    if alone:
                        return
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError:
        msg = f"the servers of {folder} have not ended within {_ANSWER_S:g} s"
        raise NodeFault(msg) from None


async def ask(folder: Path, request: dict[str, Any]) -> dict[str, Any]:
    """Return what the process that runs the servers answers. Raises `NodeFault`."""
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(folder / _SOCKET)
            with contextlib.closing(writer):
                writer.write(json.dumps(request).encode() + b"\n")
                answer: dict[str, Any] = json.loads(await reader.readline() or b"{}")
    except (OSError, TimeoutError) as fault:
        msg = f"the process that runs the servers of {folder} does not answer; is it starting?"
        raise NodeFault(msg) from fault
    if "nodes" not in answer:
        raise NodeFault(answer.get("fault", "the servers have ended meanwhile"))
    return answer


@asynccontextmanager
async def answering(folder: Path, cluster: Cluster, ending: asyncio.Event) -> AsyncIterator[None]:
    """Answer other processes until the end of the block; `ending` is set when one asks for the end."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, ValueError):
            request = json.loads(await reader.readline() or b"{}")
            try:
                result = await _carried_out(cluster, request)
            except NodeFault as fault:
                result = {"fault": str(fault)}
            writer.write(json.dumps(result).encode() + b"\n")
            await writer.drain()
            if "stop" in request:  # only now: the end of this process would cut the answer off
                ending.set()

    path = folder / _SOCKET
    path.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(answer, path)
    finally:
        os.umask(mask)
    async with server:
        yield
    path.unlink(missing_ok=True)


async def _carried_out(cluster: Cluster, request: dict[str, Any]) -> dict[str, Any]:
    match request:
        case {"grow": int(number)}:
            await cluster.grow(number)
        case {"kill": int(number)}:
            await cluster.kill(number)
        case {"start": int(number)}:
            await cluster.restart(number)
    return await cluster.status()
