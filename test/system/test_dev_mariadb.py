"""`bookshelf dev mariadb`: a real server of the machine's packages, from its start to its end."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.galera import folder_of_servers, galera
from support.process import bookshelf
from support.until import until

pytestmark = pytest.mark.needs("mariadb")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with folder_of_servers() as made:
        yield made


def test_it_runs_until_it_is_interrupted_and_keeps_its_rows(folder: Path) -> None:
    with galera(nodes=1, folder=folder) as cluster:
        pid = cluster.pid(1)
        assert Path(f"/proc/{pid}").stat().st_uid != 0
        cluster.run(1, "CREATE DATABASE bookshelf_a; CREATE TABLE bookshelf_a.t (n INT PRIMARY KEY)")
        setting = cluster.command("--status")["storage"]
        assert setting.startswith("mariadb://bookshelf:")
        refused = bookshelf("dev", "mariadb", "--folder", folder, "--kill", "2")
        assert refused.complaint == "bookshelf: there is no node 2; there are 1"
        cluster.process.send_signal(signal.SIGINT)
        assert cluster.process.wait(60) == 0
        assert not Path(f"/proc/{pid}").exists()
    with galera(nodes=1, folder=folder) as cluster:
        assert cluster.command("--status")["storage"] == setting
        assert cluster.run(1, "SHOW TABLES IN bookshelf_a") == "t\n"
        cluster.command("--stop")
        assert cluster.process.wait(60) == 0


def test_what_it_runs_ends_with_it_even_if_it_is_killed(folder: Path) -> None:
    with galera(nodes=1, folder=folder) as cluster:
        pid = cluster.pid(1)
        cluster.process.kill()
        until(lambda: not _runs(pid), "the server has ended too")
    with galera(nodes=1, folder=folder) as cluster:
        cluster.kill(1)
        assert cluster.state(1) == "stopped"
        cluster.start(1)
        assert cluster.state(1) == "Synced"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kill", "1", "--stop"], "give one of --kill, --start, --status and --stop"),
        (["--status"], "start them without this option"),
        (["--nodes", "2"], "'2' is not one of '1', '3'"),
        (["--start", "4"], "4 is not in the range 1<=x<=3"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, options: list[str], message: str) -> None:
    done = bookshelf("dev", "mariadb", "--folder", tmp_path, *options)
    assert done.code == 2
    assert message in done.err
