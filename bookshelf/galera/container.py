"""The program of the image deploy/mariadb: one node, which finds its peers, and begins a cluster if it may.

It takes the first free folder of its volume, so that several nodes of one machine can share that. From the
environment: MARIADB_USER, MARIADB_PASSWORD; BOOKSHELF_GALERA_PEERS, the names of the nodes; CONSUL_AGENT_ADDR
and CONSUL_AGENT_PORT, where the lock is if there is a Consul; BOOKSHELF_ADDRESS, its own address.
"""

import asyncio
import contextlib
import fcntl
import os
import re
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import IO

from bookshelf.galera.node import Node, NodeFault
from bookshelf.galera.options import NodeAddress, options
from bookshelf.galera.peers import (
    GROUP_PORT,
    SQL_PORT,
    USUAL_NAMES,
    Consul,
    ConsulFault,
    answers,
    consul_lock,
    folder_lock,
    own_address,
    resolved,
)
from bookshelf.galera.start import Start, decide, folder_state
from bookshelf.galera.start import peers as listed_peers

_DATA = Path("/data")
#: Names the folder of the node that runs here, for the health check.
_CURRENT = Path("/tmp/folder")  # noqa: S108 (of a container, with one node in it)
#: What Galera keeps of the last view while a node runs: after a crash the nodes of that view find each other.
_LAST_VIEW = "gvwstate.dat"
_MOST, _PAUSE_S, _LOOK_S = 64, 1.0, 2.0
_ANSWER_S = 5.0
#: Containers share a machine, and a network that others use: less is no reason to leave a node out.
_PATIENT = {"evs.suspect_timeout": "PT4S", "evs.inactive_timeout": "PT10S"}
#: A node that has lost its cluster while it brought rows to another one can stay in this state for good.
_GIVING, _TRANSFER = "Donor/Desynced", b"wsrep_sst_"
#: For how many looks in a row it is in this state, without a transfer, before it starts anew.
_LOOKS = 15
#: The states of a node with all rows: it brings them to another one, or has done so.
_WHOLE = {"2", "3", "4"}
_ASKED = "SHOW STATUS WHERE variable_name IN ('wsrep_cluster_status', 'wsrep_local_state')"
_NAME = re.compile(r"[A-Za-z0-9_]{1,32}", re.ASCII)


def free_folder(volume: Path) -> tuple[Path, IO[bytes]]:
    """Return the first folder of a volume that no other node has, and the lock to hold while it is used.

    Raises `NodeFault` if all are taken.
    """
    for number in range(1, _MOST + 1):
        lock = (volume / f"node{number}.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return volume / f"node{number}", lock
    msg = f"{volume} has {_MOST} nodes, and no folder for another one"
    raise NodeFault(msg)


def statements(user: str, password: str) -> str:
    """Return what creates the user of the services, for databases that begin with `bookshelf` alone.

    Raises `NodeFault` if the name needs quoting, or there is no password.
    """
    if _NAME.fullmatch(user) is None:
        msg = "MARIADB_USER is up to 32 letters, digits and underscores"
        raise NodeFault(msg)
    if not password:
        msg = "MARIADB_PASSWORD is missing: without it everyone in the network could change the rows"
        raise NodeFault(msg)
    quoted = password.replace("\\", "\\\\").replace("'", "\\'")
    account = f"'{user}'@'%'"
    user_made = f"CREATE USER IF NOT EXISTS {account} IDENTIFIED BY '{quoted}'"
    return f"{user_made}; GRANT ALL ON `bookshelf%`.* TO {account}"


class ContainerNode:
    """The node of this container, from its start to its end."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        listed = [peer.partition(":")[0] for peer in listed_peers(environ)]
        self._names = listed or list(USUAL_NAMES)
        self._user = environ.get("MARIADB_USER", "bookshelf")
        self._password = environ.get("MARIADB_PASSWORD", "")
        self._host = own_address(environ, self._names)
        agent = environ.get("CONSUL_AGENT_ADDR", "")
        self._consul = Consul(agent, int(environ.get("CONSUL_AGENT_PORT", "8500"))) if agent else None
        address = NodeAddress(f"node-{self._host}", self._host, SQL_PORT, GROUP_PORT, 4568, 4444)
        self.node = Node(1, address, folder)

    async def peers(self) -> list[str]:
        """Return the addresses of all other nodes, by their names and from Consul."""
        found = await asyncio.to_thread(resolved, self._names)
        if self._consul is not None:
            with contextlib.suppress(ConsulFault):
                found += await self._consul.addresses()
        return [one for one in dict.fromkeys(found) if one != self._host]

    async def _can_be_joined(self, peer: str) -> bool:
        """Return True if a peer has all rows of a cluster with a majority, or brings them to another one."""
        asked = [
            "mariadb",
            "--no-defaults",
            "-N",
            "--connect-timeout=2",
            f"--host={peer}",
            f"--user={self._user}",
            "-e",
            _ASKED,
        ]
        process = await asyncio.create_subprocess_exec(
            *asked,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "MYSQL_PWD": self._password},
        )
        try:
            async with asyncio.timeout(_ANSWER_S):
                output, _ = await process.communicate()
        except TimeoutError:
            return False
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        status = dict(line.split("\t") for line in output.decode().splitlines())
        return status.get("wsrep_cluster_status") == "Primary" and status.get("wsrep_local_state") in _WHOLE

    async def _runs(self, peer: str) -> bool:
        """Return True if a peer's server runs, in a cluster or not."""
        return await answers(peer, GROUP_PORT)

    def _lock(self) -> AbstractAsyncContextManager[bool]:
        return folder_lock(self.node.folder.parent) if self._consul is None else consul_lock(self._consul)

    async def start(self) -> None:
        """Begin a cluster, or join one; wait until one of both is possible. Raises `NodeFault`."""
        statements(self._user, self._password)  # refused before there is a cluster without this user
        await self.node.make()
        waits = False
        while True:
            async with self._lock() as held:
                what = await self.decided(await self.peers(), held=held)
                if what is Start.BEGIN:
                    _report("no cluster is there: this node begins one")
                    await self._begin()
                    break
            if what is Start.JOIN:
                _report("joins the other nodes")
                await self._started(await self._options())
                break
            if not waits:
                _report("waits for a node that may begin the cluster")
            waits = True
            await asyncio.sleep(_PAUSE_S)
        if self._consul is not None:
            with contextlib.suppress(ConsulFault):  # DNS has it, too
                await self._consul.register(self._host)

    async def decided(self, peers: list[str], *, held: bool) -> Start:
        """Return what to do, as the peers are now; `held`: this node alone decides."""
        seen = any(await asyncio.gather(*map(self._can_be_joined, peers)))
        folder = folder_state(self.node.data)
        if peers and not folder.was_last and (self.node.data / _LAST_VIEW).exists():
            return Start.JOIN  # the nodes of its last view become a cluster again once all are there
        if not seen and not folder.was_last:
            # peers that run have rows, but no majority yet
            held = held and not any(await asyncio.gather(*map(self._runs, peers)))
        return decide(holds_lock=held, cluster_seen=seen, folder=folder)

    async def _options(self) -> list[str]:
        peers = [self._host, *await self.peers()]
        return options(self.node.address, [f"{one}:{GROUP_PORT}" for one in peers], more=_PATIENT)

    async def _started(self, options: list[str]) -> None:
        await self.node.launch(options)
        await self.node.ready()

    async def _begin(self) -> None:
        await self._started([*await self._options(), "--wsrep-new-cluster"])
        await self.node.run(statements(self._user, self._password))

    async def ended(self) -> None:
        """Wait until the server has ended by itself; end it as a crash would if it is stuck in a transfer."""
        stuck = 0
        while self.node.pid is not None:
            gives = await self.node.state() == _GIVING and not await asyncio.to_thread(_transfers)
            stuck = stuck + 1 if gives else 0
            if stuck > _LOOKS:
                _report("a transfer of rows has failed: the node starts anew")
                await self.node.kill()
            await asyncio.sleep(_LOOK_S)

    async def stop(self) -> None:
        """Leave the cluster, and end."""
        if self._consul is not None:
            with contextlib.suppress(ConsulFault):
                await self._consul.deregister(self._host)
        await self.node.stop()


def _transfers() -> bool:
    """Return True if rows are brought to another node, by one of the scripts of MariaDB."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if _TRANSFER in (process / "cmdline").read_bytes():
                return True
    return False


def _report(line: str) -> None:
    print(f"bookshelf: {line}", file=sys.stderr, flush=True)  # noqa: T201 (the log of the container)


async def _run(environ: Mapping[str, str], folder: Path) -> int:
    """Run the node of a folder until a signal; return the exit code."""
    one, ending = ContainerNode(environ, folder), asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, ending.set)
    waiting = asyncio.create_task(ending.wait())
    try:
        if await _ends_first(asyncio.create_task(one.start()), waiting):
            await _ends_first(asyncio.create_task(one.ended()), waiting)
    finally:
        waiting.cancel()
        await one.stop()
    return 0 if ending.is_set() else 1


async def _ends_first(task: asyncio.Task[None], waiting: asyncio.Task[bool]) -> bool:
    """Wait for one of both; return True if the first has ended, else cancel it. Raises what it has raised."""
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            await task
            return True
        return False
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _is_well(folder: Path) -> bool:
    """Return True if the node of a folder has all rows of its cluster."""
    node = Node(1, NodeAddress("", "", SQL_PORT, GROUP_PORT, 4568, 4444), folder)
    return await node.status("wsrep_local_state_comment") == "Synced"


def main(arguments: list[str]) -> int:
    """Run the node; with `health` check the one that runs here. Return the exit code."""
    try:
        if arguments == ["health"]:
            folder = Path(_CURRENT.read_text(encoding="utf-8"))
            return 0 if asyncio.run(_is_well(folder)) else 1
        folder, lock = free_folder(_DATA)
        with lock:
            _CURRENT.write_text(str(folder), encoding="utf-8")
            return asyncio.run(_run(os.environ, folder))
    except (NodeFault, OSError) as fault:
        _report(str(fault))
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
