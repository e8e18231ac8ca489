"""The list of commands is there at once, with whole sentences."""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from support.process import environment

from bookshelf.cli.main import main

_SCRIPT = """
import sys
from click.testing import CliRunner
from bookshelf.cli.main import main
done = CliRunner().invoke(main, ["--help"])
assert done.exit_code == 0, done
print(*sorted({"bookshelf.services", "msgspec", "sqlalchemy", "structlog"} & sys.modules.keys()))
"""


def test_the_list_of_commands_imports_no_command() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_every_command_is_listed_with_a_whole_sentence() -> None:
    listed = CliRunner().invoke(main, ["--help"]).output.partition("Commands:\n")[2].splitlines()
    context = click.Context(main)
    assert [line.split()[0] for line in listed] == main.list_commands(context)
    assert all(line.endswith(".") and not line.endswith("...") for line in listed)
    assert all(main.get_command(context, line.split()[0]) is not None for line in listed)


@pytest.mark.parametrize("command", ["library", "changes", "backup"])
def test_a_command_for_a_running_shelf_does_not_import_what_runs_one(command: str) -> None:
    script = f"""
import sys, bookshelf.cli.{command}
runs_one = {{"bookshelf.services", "bookshelf.cli.embedded", "gateway.app", "sqlalchemy"}}
print(*sorted(runs_one & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_a_command_is_imported_without_a_collection_of_garbage_and_what_follows_has_them() -> None:
    script = """
import gc, click
from bookshelf.cli.main import main
seen = []
gc.callbacks.append(lambda phase, info: seen.append(phase))
main.get_command(click.Context(main), "up")
print(len(seen), gc.isenabled())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "0 True", "")
