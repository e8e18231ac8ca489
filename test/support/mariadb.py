"""A real MariaDB on a free loopback port, or several as a Galera cluster; a name of databases for each test.

Its one user but the superuser may make databases whose names begin with `test_`, and nothing else.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from support.kafka import HOST, free_ports
from support.until import until

REMEDY = "sudo apt-get install -y --no-install-recommends mariadb-server galera-4 rsync"
USER, PASSWORD = "reader", "a-test-password"
GALERA = Path("/usr/lib/galera/libgalera_smm.so")
_OWNER = "mysql"
_SHM = Path("/dev/shm")  # noqa: S108 (a folder with a random name is made in it)
#: Seconds that it may take to do anything, on a machine that does much else.
_PATIENCE_S = 60.0
#: No test cuts the power, so nothing waits for a disk.
_SETTINGS = {
    "bind-address": HOST,
    "innodb-buffer-pool-size": "32M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-log-file-size": "16M",
    "performance-schema": "OFF",
    "max-connections": "200",
    "binlog-format": "ROW",
    "innodb-autoinc-lock-mode": "2",
}


def available() -> bool:
    """Whether a server can be started: its programs are here, and root has another user to run them as."""
    return _program() is not None and GALERA.exists() and (os.geteuid() != 0 or _owner() is not None)


def _program() -> str | None:
    """Return the server's program, which Debian keeps off the PATH of users."""
    return shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")


def _owner() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(_OWNER)
    except KeyError:
        return None


class Server:
    """One server, from `start` to `stop`. Its port stays when it is started again."""

    def __init__(self, folder: Path, more: tuple[str, ...] = ()) -> None:
        [self.port] = free_ports(1)
        self._folder = folder
        self._more = more
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        """The socket of the superuser."""
        return self._folder / "sock"

    def make(self) -> None:
        """Make its data folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._tmp.mkdir(exist_ok=True)
        owner = _owner()
        if os.geteuid() == 0 and owner is not None:
            for folder in (self._folder, self._tmp):
                os.chown(folder, owner.pw_uid, owner.pw_gid)
        made = ["mariadb-install-db", "--no-defaults", f"--datadir={self._data}", "--skip-test-db"]
        made += ["--auth-root-authentication-method=normal", "--innodb-flush-log-at-trx-commit=0"]
        made.append(f"--tmpdir={self._tmp}")
        made += [f"--user={_OWNER}"] if os.geteuid() == 0 else []
        subprocess.run(made, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S)

    @property
    def _tmp(self) -> Path:
        """Its own folder: a server that starts deletes temporary tables of others in a shared one."""
        return self._folder / "tmp"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def start(self, *more: str) -> None:
        """Start it, again if it was stopped or killed, and wait until it answers."""
        tied = ["setpriv", "--pdeathsig", "KILL"]
        if os.geteuid() == 0:
            tied += ["--reuid", _OWNER, "--regid", _OWNER, "--clear-groups"]
        options = [f"--{name}={value}" for name, value in _SETTINGS.items()]
        options += [
            f"--tmpdir={self._tmp}",
            f"--datadir={self._data}",
            f"--socket={self.socket}",
            f"--port={self.port}",
        ]
        options += [f"--pid-file={self._folder}/pid", "--skip-name-resolve", *self._more, *more]
        with (self._folder / "server.log").open("ab") as log:
            command = [*tied, str(_program()), "--no-defaults", *options]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/")
        self._process = process
        until(lambda: self._answers() or process.poll() is not None, "MariaDB answers", _PATIENCE_S)
        assert process.poll() is None, (self._folder / "server.log").read_text()[-4000:]

    def _answers(self) -> bool:
        """Whether it executes statements; a node of a cluster does once it has all rows."""
        asked = [
            "mariadb",
            "--no-defaults",
            "-uroot",
            f"--socket={self.socket}",
            "-e",
            "SELECT 1 FROM mysql.db",
        ]
        return subprocess.run(asked, check=False, capture_output=True, timeout=_PATIENCE_S).returncode == 0

    def run(self, statements: str) -> str:
        """Run statements as the superuser; return the rows, a line each, values separated by tabs."""
        asked = ["mariadb", "--no-defaults", "-uroot", "-N", f"--socket={self.socket}", "-e", statements]
        found = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=_PATIENCE_S)
        return found.stdout

    @contextmanager
    def flushing(self) -> Iterator[None]:
        """Have it flush each commit to the disk, as keyrings ask for, until the end of the block."""
        self.run("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
        try:
            yield
        finally:
            self.run("SET GLOBAL innodb_flush_log_at_trx_commit = 0")

    def add_user(self) -> None:
        """Create the user of the tests."""
        user = f"'{USER}'@'%'"
        grants = f"GRANT ALL ON `test\\_%`.* TO {user}"
        self.run(f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{PASSWORD}'; {grants}")

    def kill(self, sign: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to its process."""
        assert self._process is not None
        self._process.send_signal(sign)

    def stop(self) -> None:
        """End it as a crash would, and wait for that."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(_PATIENCE_S)
            self._process = None

    def url(self, database: str, user: str = USER, password: str = PASSWORD, port: int | None = None) -> str:
        """Return the address of databases, by another port if there is something before the server's."""
        return f"mariadb://{user}:{password}@{HOST}:{port or self.port}/{database}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """Return a name for databases, and drop all that were made with it at the end."""
        name = f"test_{uuid4().hex[:12]}"
        try:
            yield name
        finally:
            listed = self.run(
                f"SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE '{name}%'"  # noqa: S608 (a name of our own)
            )
            self.run("".join(f"DROP DATABASE `{found}`;" for found in listed.split()) or "SELECT 1")


@contextmanager
def running() -> Iterator[Server]:
    """Run a server that is ended, and its folder removed, at the end."""
    # in memory if there is room: each database of a test is made of files that wait for a disk
    in_memory = str(_SHM) if _SHM.is_dir() and shutil.disk_usage(_SHM).free > 2 << 30 else None
    with tempfile.TemporaryDirectory(
        prefix="bookshelf-mariadb-", dir=in_memory, ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o755)
        server = Server(Path(folder) / "server")
        server.make()
        try:
            server.start()
            server.add_user()
            yield server
        finally:
            server.stop()
