"""Every command in an environment without extras, as `make run` makes it: none of their packages is there."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.process import ROOT
from support.program import Program

#: Runs the program while no package of an extra can be found.
_RUN = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {
            "aiohttp", "aiokafka", "asyncpg", "limits", "obstore", "redis", "eventsourcing"
        }:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from importlib import import_module
module, name = sys.argv.pop(1).split(":")
getattr(import_module(module), name)(prog_name="bookshelf")
"""


def without_extras(
    *args: str | Path, main: str = "bookshelf.cli.main:main", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _RUN, main, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT, env=env)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with Program(tmp_path_factory.mktemp("shelf")) as program:
        program.ready().client.add("Dune")
        yield program


@pytest.mark.parametrize(
    "words",
    ["dlq list", "topics check", "events show bookshelf/0@0", "views rebuild booklist"],
)
def test_commands_work_on_an_embedded_shelf(shelf: Program, words: str) -> None:
    done = without_extras(*words.split(), "--data", shelf.data)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "package"),
    [
        ("run newbook", "aiokafka"),
        ("topics check --broker 127.0.0.1:1", "aiokafka"),
        ("events tail --broker 127.0.0.1:1", "aiokafka"),
    ],
)
def test_a_missing_extra_is_reported_with_the_command_that_installs_it(words: str, package: str) -> None:
    names_the_package(without_extras(*words.split()), package)


def test_a_bucket_without_its_extra_ends_the_start(tmp_path: Path) -> None:
    env = {**os.environ, "BOOKSHELF_BLOBS": "s3://bucket"}
    names_the_package(without_extras("up", "--data", tmp_path, "--port", "0", env=env), "obstore")


@pytest.mark.parametrize(("words", "package"), [("--log kafka", "aiokafka"), ("gateway", "limits")])
def test_a_measurement_with_a_missing_extra_names_it(words: str, package: str) -> None:
    names_the_package(without_extras(*words.split(), main="bench.__main__:bench"), package)


def names_the_package(done: subprocess.CompletedProcess[str], package: str) -> None:
    assert done.returncode in {1, 2}
    line = done.stderr.splitlines()[-1]
    assert f"needs {package}, which is not installed: {sys.executable} -m pip install " in line
    assert package in line.partition("pip install")[2]
    assert "Traceback" not in done.stderr
