"""The wheel and the source archive: well made, small, whole; in an empty environment, they run."""

import os
import shlex
import shutil
import subprocess
import sys
import tarfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest
from support.built_packages import build, only
from support.commands import command_paths
from support.kafka import free_ports
from support.process import ROOT, Ended
from support.until import until

from bookshelf.cli.main import main

#: Installing has a limit of 300 s of its own, and is part of the first test that needs it.
pytestmark = pytest.mark.timeout(600)
_LIMIT = 5_000_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, made of what git keeps."""
    place = tmp_path_factory.mktemp("dist")
    build(place)
    return place


def test_wheel_and_source_archive_pass_the_checks_of_registries(built: Path) -> None:
    check = [sys.executable, "-m", "twine", "check", "--strict"]
    subprocess.run([*check, only(built, "*.whl"), only(built, "*.tar.gz")], check=True, capture_output=True)
    contents = [sys.executable, "-m", "check_wheel_contents", str(only(built, "*.whl"))]
    done = subprocess.run(contents, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_wheel_and_source_archive_are_small_and_complete(built: Path) -> None:
    wheel, archive = only(built, "*.whl"), only(built, "*.tar.gz")
    assert max(wheel.stat().st_size, archive.stat().st_size) < _LIMIT
    with ZipFile(wheel) as file:
        names = set(file.namelist())
    modules = {
        str(path.relative_to(ROOT))
        for name in ("bookshelf", "gateway")
        for path in (ROOT / name).rglob("*.py")
    }
    assert {"gateway/swagger/index.html", "bookshelf/py.typed", *modules} <= names
    parts = {part for name in names for part in name.split("/")[:-1]}
    assert not parts & {"test", "bench", "packaging"}
    with tarfile.open(archive) as packed:
        assert any(name.endswith("/bookshelf/services.py") for name in packed.getnames())


class Installed:
    """The wheel in an environment of its own, without extras: its command and its interpreter."""

    def __init__(self, environment: Path) -> None:
        self._bin = environment / "bin"
        self._env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("BOOKSHELF_") and name != "PYTHONPATH"
        } | {"BOOKSHELF_BROKER_WAIT_S": "0.1"}
        self._folder = environment.parent

    def install(self, *what: str) -> None:
        pip = [str(self._bin / "python"), "-m", "pip", "--quiet", "install"]
        subprocess.run([*pip, *what], check=True, capture_output=True, timeout=300, env=self._env)

    def start(self, *args: str | Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen([self._bin / "bookshelf", *args], cwd=self._folder, env=self._env)

    def run(self, *args: str | Path, env: Mapping[str, str] | None = None) -> Ended:
        return self._run("bookshelf", args, env or {})

    def python(self, *args: str, env: Mapping[str, str] | None = None) -> Ended:
        return self._run("python", args, env or {})

    def _run(self, program: str, args: Sequence[str | Path], env: Mapping[str, str]) -> Ended:
        done = subprocess.run(
            [self._bin / program, *args],
            cwd=self._folder,
            env=self._env | dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    environment = tmp_path_factory.mktemp("bare") / "venv"
    venv.create(environment, with_pip=True, symlinks=True)
    # the folder of a checkout that no wheel contains
    shutil.copytree(
        ROOT / "bench", environment.parent / "bench", ignore=shutil.ignore_patterns("__pycache__")
    )
    made = Installed(environment)
    made.install("--constraint", str(ROOT / "constraints.txt"), str(only(built, "*.whl")))
    return made


@pytest.fixture(scope="module")
def data(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a shelf that runs, with one book on it."""
    folder = tmp_path_factory.mktemp("shelf")
    library = folder / "library.csv"
    library.write_text("title,author\nDune,Frank Herbert\n")
    port = str(free_ports(1)[0])
    shelf = installed.start("up", "--data", folder / "data", "--port", port, "--service-ports", "auto")
    try:
        until(lambda: installed.run("health", "--port", port).code == 0 or shelf.poll(), "it is ready")
        assert "1 added" in installed.run("import", library, "--data", folder / "data").well
        yield folder / "data"
    finally:
        shelf.terminate()
    assert shelf.wait(30) == 0


def test_the_wheel_runs_in_an_environment_of_its_own(data: Path) -> None:
    assert (data / "log.sqlite").exists()


#: Asks every command for its help in one process, each as it is imported by then.
_HELP = """
import click
from click.testing import CliRunner
from bookshelf.cli.main import main

def ask(command, words):
    done = CliRunner().invoke(main, [*words, "--help"], prog_name="bookshelf")
    assert done.exit_code == 0 and " ".join(("Usage: bookshelf", *words)) in done.output, (words, done)
    print(*words)
    if isinstance(command, click.Group):
        for name in command.list_commands(None):
            ask(command.get_command(None, name), [*words, name])

ask(main, [])
"""


def test_every_command_of_the_wheel_has_help(installed: Installed) -> None:
    assert installed.run("--help").well.startswith("Usage: bookshelf ")
    asked = installed.python("-c", _HELP).well.splitlines()
    assert asked == [" ".join(words) for words in command_paths(main)]


_COMMANDS = [
    "events tail --from start --no-follow --data {data}",
    "events show bookshelf/0@0 --data {data}",
    "topics check --data {data}",
    "dlq list --data {data}",
    "dlq retry --data {data}",
    "views rebuild booklist --data {data}",
    "export {folder}/export.csv --data {data}",
    "import {folder}/export.csv --data {data}",
]


@pytest.mark.slow
def test_the_wheel_s_commands_work_on_a_restored_shelf(
    installed: Installed, data: Path, tmp_path: Path
) -> None:
    assert installed.run("backup", tmp_path / "backups", "--data", data).well
    [backup] = (tmp_path / "backups").iterdir()
    assert installed.run("restore", backup, "--data", tmp_path / "data").well
    for line in _COMMANDS:
        done = installed.run(*line.format(data=tmp_path / "data", folder=tmp_path).split())
        assert (done.code, "Traceback" in done.err) == (0, False), (line, done)
    assert "Dune" in (tmp_path / "export.csv").read_text()


@pytest.mark.slow
def test_the_bench_of_a_checkout_runs_on_the_wheel(installed: Installed) -> None:
    done = installed.python("-m", "bench", *["commands", "--runs", "1", "--seconds", "0.05", "--books", "20"])
    assert '"per_s"' in done.well


_RATE = {"BOOKSHELF_GATEWAY_RATE": "as many as you like"}
_BENCH = "gateway --runs 1 --seconds 0.05"
_UP = "up --data data --port 0 --service-ports auto"
#: Commands that lack a package, with their settings; the last one also needs an extra of the former ones.
_LACKING: list[tuple[str, dict[str, str], str]] = [
    ("topics check --broker 127.0.0.1:1", {}, "aiokafka"),
    (_BENCH, {}, "limits"),
    (_UP, _RATE | {"BOOKSHELF_GATEWAY_RATE_STORAGE": "redis://127.0.0.1"}, "redis"),
]


@pytest.mark.slow
def test_the_command_in_a_message_about_an_extra_installs_it(installed: Installed) -> None:
    for lacking in (_LACKING[:-1], _LACKING[-1:]):
        hints = set()
        for line, settings, package in lacking:
            program = ("-m", "bench") if line == _BENCH else ("-m", "bookshelf")
            done = installed.python(*program, *line.split(), env=settings)
            assert done.code in {1, 2}, done
            assert "Traceback" not in done.err, done
            last = done.err.splitlines()[-1]
            assert f"needs {package}, which is not installed: " in last, done
            hints.add(last.partition("installed: ")[2])
        for hint in sorted(hints):
            subprocess.run(shlex.split(hint), check=True, capture_output=True, timeout=300)
        for line, settings, _ in lacking:
            if line != _BENCH:  # which would now take its time, and work
                done = installed.run(*line.split(), env=settings)
                assert (done.code, "not installed" in done.err) == (2, False), done
