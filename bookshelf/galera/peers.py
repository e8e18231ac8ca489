"""The other nodes of a node in a container, and the lock that one node at a time has while it decides.

Only the standard library: the image of the database has nothing else.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

GROUP_PORT, SQL_PORT = 4567, 3306
#: The names that nodes are found by in a Swarm and with docker-compose.
USUAL_NAMES = ("tasks.db", "db")
#: The name of the nodes in Consul, and the key of the lock there.
SERVICE = "db"
_KEY = "bookshelf/galera/begin"
#: Seconds of one request to Consul or to a peer, and for which a lock outlives a node that is gone.
_ANSWER_S, _LOCK_S = 3.0, 30


class ConsulFault(OSError):
    """Consul gives no answer, or refuses a request."""


class Consul:
    """An agent, asked by HTTP."""

    def __init__(self, host: str, port: int) -> None:
        self._url = f"http://{host}:{port}/v1"

    async def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 (JSON)
        """Return the answer to one request. Raises `ConsulFault`."""
        return await asyncio.to_thread(self._ask, method, path, body)

    def _ask(self, method: str, path: str, body: object) -> Any:  # noqa: ANN401 (JSON)
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"{self._url}{path}", data=data, method=method)  # noqa: S310 (http)
        try:
            with urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310 (http)
                text = answer.read()
        except (HTTPError, URLError, OSError) as fault:
            msg = f"Consul at {self._url}: {fault}"
            raise ConsulFault(msg) from fault
        return json.loads(text) if text else None

    async def addresses(self) -> list[str]:
        """Return the addresses of the nodes that are registered."""
        found = await self.ask("GET", f"/catalog/service/{SERVICE}")
        return [one["ServiceAddress"] for one in found]

    async def register(self, address: str) -> None:
        """Register a node; Consul forgets it once its port has not answered for a minute."""
        check = {
            "TCP": f"{address}:{SQL_PORT}",
            "Interval": "5s",
            "DeregisterCriticalServiceAfter": "1m",
        }
        entry = {"Name": SERVICE, "ID": f"{SERVICE}-{address}", "Address": address, "Port": SQL_PORT}
        await self.ask("PUT", "/agent/service/register", {**entry, "Check": check})

    async def deregister(self, address: str) -> None:
        """Remove a node that leaves."""
        await self.ask("PUT", f"/agent/service/deregister/{SERVICE}-{address}")


@asynccontextmanager
async def consul_lock(consul: Consul) -> AsyncIterator[bool]:
    """Yield whether this node alone decides, until the end of the block, or until it is gone.

    Without an answer of Consul there is no decision.
    """
    wanted = {"TTL": f"{_LOCK_S}s", "LockDelay": "1s"}
    try:
        session = (await consul.ask("PUT", "/session/create", wanted))["ID"]
    except ConsulFault:
        yield False
        return
    renewing = asyncio.create_task(_renewed(consul, session))
    try:
        query = urlencode({"acquire": session})
        try:
            held = bool(await consul.ask("PUT", f"/kv/{_KEY}?{query}", os.getpid()))
        except ConsulFault:
            held = False
        yield held
    finally:
        renewing.cancel()
        with contextlib.suppress(ConsulFault):
            await consul.ask("PUT", f"/kv/{_KEY}?{urlencode({'release': session})}")
            await consul.ask("PUT", f"/session/destroy/{session}")


async def _renewed(consul: Consul, session: str) -> None:
    while True:
        await asyncio.sleep(_LOCK_S / 3)
        with contextlib.suppress(ConsulFault):
            await consul.ask("PUT", f"/session/renew/{session}")


@asynccontextmanager
async def folder_lock(folder: Path) -> AsyncIterator[bool]:
    """Yield whether this node alone decides, of all on this machine that share the volume."""
    with (folder / "begin.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def resolved(names: Sequence[str]) -> list[str]:
    """Return the addresses that names have now, each once; a name without one is left out."""
    found: dict[str, None] = {}
    for name in names:
        with contextlib.suppress(OSError):
            for *_, where in socket.getaddrinfo(name, None, socket.AF_INET, socket.SOCK_STREAM):
                found[str(where[0])] = None
    return list(found)


def own_address(
    environ: Mapping[str, str],
    names: Sequence[str],
    look_up: Callable[[Sequence[str]], list[str]] = resolved,
) -> str:
    """Return the address that peers reach this node at: of several, the one that a name of the nodes has.

    Raises OSError if it has none.
    """
    if given := environ.get("BOOKSHELF_ADDRESS", "").removeprefix("auto"):
        return given
    own = look_up([socket.gethostname()])
    if not own:
        msg = f"the host name {socket.gethostname()} has no address; set BOOKSHELF_ADDRESS"
        raise OSError(msg)
    common = [one for one in look_up(names) if one in own]
    return (common or own)[0]


async def answers(host: str, port: int) -> bool:
    """Return True if something listens there."""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_ANSWER_S):
            _reader, writer = await asyncio.open_connection(host, port)
            writer.close()
            return True
    return False
