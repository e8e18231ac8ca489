"""One MariaDB server on this machine, from its empty folder to its end. It never runs as root."""

import asyncio
import contextlib
import getpass
import os
import pwd
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bookshelf.galera.options import PROVIDER, NodeAddress

REMEDY = "apt-get install --no-install-recommends mariadb-server galera-4 rsync"
#: Users that a server started by root runs as, the first one that this system has.
_OTHERS = ("mysql", "nobody")
#: Seconds to make a folder, to be ready, and to answer a statement.
_MAKE_S, _READY_S, _ANSWER_S = 120.0, 120.0, 5.0
_PAUSE_S = 0.1
#: The longest path of a socket, in bytes.
_LONGEST = 100
#: A small server: it is there to develop with.
_SMALL = {
    "innodb-buffer-pool-size": "32M",
    "innodb-log-file-size": "16M",
    "performance-schema": "OFF",
    "max-connections": "200",
}
_SYNCED = "Synced"


class NodeFault(OSError):
    """A server cannot be started or asked; the message has the reason and what to do."""


def _program(name: str) -> str:
    """Return the path of a program, which may be off the PATH of users. Raises `NodeFault`."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        msg = f"the program {name} is missing: {REMEDY}"
        raise NodeFault(msg)
    return found


def check_programs() -> None:
    """Raise `NodeFault` if a program that the nodes need is missing."""
    for name in ("mariadbd", "mariadb", "mariadb-install-db", "setpriv", "rsync"):
        _program(name)
    if not Path(PROVIDER).exists():
        msg = f"the library {PROVIDER} is missing: {REMEDY}"
        raise NodeFault(msg)


def _other() -> pwd.struct_passwd | None:
    """Return the user that servers run as; None if it is the present one."""
    if os.geteuid() != 0:
        return None
    for name in _OTHERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    msg = "servers do not run as root, and this system has none of the users " + ", ".join(_OTHERS)
    raise NodeFault(msg)


class Node:
    """One server: `address`, and a folder with its rows, its socket and its log."""

    def __init__(self, number: int, address: NodeAddress, folder: Path) -> None:
        self.number, self.address, self.folder = number, address, folder
        self._process: asyncio.subprocess.Process | None = None
        self._launching = asyncio.Lock()

    @property
    def data(self) -> Path:
        """The folder of its rows."""
        return self.folder / "data"

    @property
    def pid(self) -> int | None:
        """The id of its process; None while it does not run."""
        runs = self._process is not None and self._process.returncode is None
        return self._process.pid if self._process is not None and runs else None

    @property
    def _tmp(self) -> Path:
        """Its own folder: a server that starts deletes temporary tables of others in a shared one."""
        return self.folder / "tmp"

    @property
    def _socket(self) -> Path:
        return self.folder / "socket"

    async def make(self) -> None:
        """Make its data folder, unless it has one. Raises `NodeFault`."""
        if len(os.fsencode(self._socket)) > _LONGEST:
            msg = f"the path {self.folder} is too long for a socket; choose a shorter one with --folder"
            raise NodeFault(msg)
        if (self.data / "mysql").exists():
            return
        # complete, or not there under its name: an attempt can be ended at any time
        made = self.folder / "data.new"
        for unfinished in (self.data, made):
            shutil.rmtree(unfinished, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o711)
        other, options = _other(), ["--auth-root-authentication-method=socket", "--skip-test-db"]
        self._tmp.mkdir(exist_ok=True)
        if other is not None:
            for folder in (self.folder, self._tmp):
                os.chown(folder, other.pw_uid, other.pw_gid)
            options.append(f"--user={other.pw_name}")
        options += [
            f"--auth-root-socket-user={getpass.getuser()}",
            "--skip-name-resolve",
            f"--tmpdir={self._tmp}",
            "--innodb-flush-log-at-trx-commit=0",
            *(f"--{name}={value}" for name, value in _SMALL.items()),
        ]
        command = [_program("mariadb-install-db"), "--no-defaults", f"--datadir={made}", *options]
        code, output = await _output(command, _MAKE_S)
        if code:
            msg = f"{self.data} cannot be made: {_reason(output)}"
            raise NodeFault(msg)
        made.rename(self.data)

    def _command(self, options: Sequence[str]) -> list[str]:
        tied, other = [_program("setpriv"), "--pdeathsig", "KILL"], _other()
        if other is not None:
            tied += [f"--reuid={other.pw_uid}", f"--regid={other.pw_gid}", "--clear-groups"]
        fixed = [f"--{name}={value}" for name, value in _SMALL.items()]
        fixed += [
            f"--tmpdir={self._tmp}",
            f"--datadir={self.data}",
            f"--socket={self._socket}",
            f"--pid-file={self.folder / 'pid'}",
        ]
        return [*tied, _program("mariadbd"), "--no-defaults", "--skip-name-resolve", *fixed, *options]

    async def recover(self, options: Sequence[str]) -> str:
        """Return what its server prints about how far it had come."""
        file = self.folder / "recover.log"
        command = [*self._command(options), "--wsrep-recover", f"--log-error={file}"]
        _, output = await _output(command, _MAKE_S)
        return output + (file.read_text(errors="replace") if file.exists() else "")

    async def launch(self, options: Sequence[str]) -> None:
        """Start its server, and do not wait for it. Raises `NodeFault` if it runs."""
        async with self._launching:
            if self.pid is not None:
                msg = f"node {self.number} runs already"
                raise NodeFault(msg)
            await self._launch(options)

    async def _launch(self, options: Sequence[str]) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(options),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
            )

    async def ready(self) -> None:
        """Wait until its server has all rows of its cluster; end it if it fails. Raises `NodeFault`."""
        try:
            async with asyncio.timeout(_READY_S):
                while self.pid is not None and await self.state() != _SYNCED:  # noqa: ASYNC110 (another process)
                    await asyncio.sleep(_PAUSE_S)
        except TimeoutError:
            await self.kill()
            msg = f"node {self.number} is not ready after {_READY_S:g} s; see {self.folder / 'server.log'}"
            raise NodeFault(msg) from None
        except BaseException:
            await self.kill()
            raise
        if self.pid is None:
            log = (self.folder / "server.log").read_text(errors="replace")
            msg = f"node {self.number} has ended: {_reason(log)}"
            raise NodeFault(msg)

    async def state(self) -> str:
        """Return the state in the cluster, as the server names it; empty if it does not answer."""
        return await self.status("wsrep_local_state_comment") if self.pid is not None else ""

    async def status(self, name: str) -> str:
        """Return a status variable of the server; empty if it does not answer."""
        with contextlib.suppress(NodeFault):
            return (await self.run(f"SHOW STATUS LIKE '{name}'")).partition("\t")[2].strip()
        return ""

    async def run(self, statements: str) -> str:
        """Run statements as the superuser; return the rows, values separated by tabs. Raises `NodeFault`."""
        asked = [_program("mariadb"), "--no-defaults", "-N", f"--user={getpass.getuser()}"]
        code, output = await _output([*asked, f"--socket={self._socket}", "-e", statements], _ANSWER_S)
        if code:
            msg = f"node {self.number} has refused a statement: {_last_line(output)}"
            raise NodeFault(msg)
        return output

    async def kill(self) -> None:
        """End its processes as a crash would, and wait for that."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """Ask its server to end, and wait for that."""
        await self._end(signal.SIGTERM)

    async def _end(self, sign: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(sign)
        try:
            async with asyncio.timeout(_MAKE_S):
                await process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):  # scripts that bring rows to another node
                os.killpg(process.pid, signal.SIGKILL)


async def _output(command: Sequence[str], wait_s: float) -> tuple[int, str]:
    """Run a program to its end; return its exit code and what it printed. Raises `NodeFault`."""
    pipes: dict[str, Any] = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.STDOUT}
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, cwd="/", start_new_session=True, **pipes
    )
    try:
        async with asyncio.timeout(wait_s):
            output, _ = await process.communicate()
    except TimeoutError:
        msg = f"{Path(command[0]).name} gives no answer within {wait_s:g} s"
        raise NodeFault(msg) from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # with what a script has started
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace")


def _reason(log: str) -> str:
    """Return the line of a server's log that has its last error, else the last line."""
    errors = [line for line in log.splitlines() if "ERROR" in line and "Aborting" not in line]
    return _last_line(errors[-1] if errors else log)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it gives no reason"
