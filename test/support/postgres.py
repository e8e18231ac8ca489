"""A real PostgreSQL on a free loopback port: started once for a run of the tests; a database for each test.

Its one user but the superuser may make schemas in its databases, and nothing else.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

import asyncpg
from support.kafka import HOST, free_ports
from support.until import until

REMEDY = "sudo apt-get install -y --no-install-recommends postgresql"
ADMIN, ADMIN_PASSWORD = "postgres", "an-admin-password"
USER, PASSWORD = "reader", "a-test-password"
#: Seconds that it may take to do anything, on a machine that does much else.
_PATIENCE_S = 60.0
#: No test cuts the power, so nothing waits for a disk.
_SETTINGS = {
    "fsync": "off",
    "listen_addresses": HOST,
    "max_connections": "200",
    "shared_buffers": "32MB",
    "password_encryption": "scram-sha-256",
}


@cache
def programs() -> Path | None:
    """Return the folder of the server's programs; None where there are none."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def available() -> bool:
    """Whether a server can be started: its programs are here, and root has another user to run them as."""
    return programs() is not None and (os.geteuid() != 0 or _owner() is not None)


def _owner() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(ADMIN)
    except KeyError:
        return None


def _as_owner(*command: str, dies_with_us: bool = False) -> list[str]:
    """PostgreSQL refuses to run as root."""
    tied = ["--pdeathsig", "KILL"] if dies_with_us else []
    if os.geteuid() == 0:
        tied += ["--reuid", ADMIN, "--regid", ADMIN, "--clear-groups"]
    return ["setpriv", *tied, *command] if tied and shutil.which("setpriv") else list(command)


class Server:
    """One server, from `start` to `stop`. Its port stays when it is started again."""

    def __init__(self, folder: Path) -> None:
        [self.port] = free_ports(1)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make its data folder."""
        found, owner = programs(), _owner()
        assert found is not None, REMEDY
        secret = self._folder / "password"
        secret.write_text(ADMIN_PASSWORD)
        if os.geteuid() == 0 and owner is not None:
            for path in (self._folder, secret):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        made = _as_owner(str(found / "initdb"), "-D", str(self._data), "-U", ADMIN, "--no-sync")
        made += ["--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(
            made, check=True, stdin=subprocess.DEVNULL, capture_output=True, cwd="/", timeout=_PATIENCE_S
        )
        settings = {**_SETTINGS, "port": str(self.port), "unix_socket_directories": str(self._folder)}
        with (self._data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self) -> None:
        """Start it, again if it was stopped or killed, and wait until it answers."""
        found = programs()
        assert found is not None, REMEDY
        command = _as_owner(str(found / "postgres"), "-D", str(self._data), dies_with_us=True)
        with (self._folder / "server.log").open("ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        self._process = process
        until(lambda: self._answers() or process.poll() is not None, "PostgreSQL answers", _PATIENCE_S)
        assert process.poll() is None, (self._folder / "server.log").read_text()[-4000:]

    def _answers(self) -> bool:
        found = programs()
        assert found is not None
        asked = [str(found / "pg_isready"), "-q", "-h", HOST, "-p", str(self.port)]
        return subprocess.run(asked, check=False, timeout=_PATIENCE_S).returncode == 0

    def stop(self) -> None:
        """End it as a crash would, and wait for that; its processes end with it."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(_PATIENCE_S)
            self._process = None

    def url(self, database: str, user: str = USER, password: str = PASSWORD, port: int | None = None) -> str:
        """Return the address of a database, by another port if there is something before the server's."""
        return f"postgresql://{user}:{password}@{HOST}:{port or self.port}/{database}"

    @asynccontextmanager
    async def admin(self, database: str = "postgres") -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Connect as the superuser."""
        connection = await asyncpg.connect(self.url(database, ADMIN, ADMIN_PASSWORD), timeout=_PATIENCE_S)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """Make a database whose own language sorts as no program would, and drop it at the end."""
        name = f"test_{uuid4().hex[:12]}"
        language = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' ENCODING 'UTF8' TEMPLATE template0"
        async with self.admin() as admin:
            if not await admin.fetchval("SELECT count(*) FROM pg_roles WHERE rolname = $1", USER):
                await admin.execute(f"CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}'")
            await admin.execute(f"CREATE DATABASE {name} OWNER {USER} {language}")
        try:
            yield name
        finally:
            async with self.admin() as admin:  # the server may be another by now
                await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def running() -> Iterator[Server]:
    """Run a server that is ended, and its folder removed, at the end."""
    with tempfile.TemporaryDirectory(prefix="bookshelf-postgres-") as folder:
        server = Server(Path(folder))
        server.make()
        try:
            server.start()
            yield server
        finally:
            server.stop()
