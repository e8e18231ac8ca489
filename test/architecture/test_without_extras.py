"""Every command works without the optional dependencies; only what needs one imports it."""

import subprocess
import sys

from support.process import ROOT, environment

_SCRIPT = """
import sys
from importlib import import_module
from importlib.abc import MetaPathFinder

import click
from click.testing import CliRunner

BLOCKED = {"aiokafka", "asyncpg", "limits", "obstore", "redis", "eventsourcing"}

class Blocker(MetaPathFinder):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None

sys.meta_path.insert(0, Blocker())
for name in sys.argv[1:]:
    try:
        import_module(name)
    except ModuleNotFoundError as fault:
        print(name, "imports", fault.name)

from bookshelf.cli.main import main

def walk(command, words):
    done = CliRunner().invoke(main, [*words, "--help"])
    if done.exit_code or done.exception is not None and not isinstance(done.exception, SystemExit):
        print(*words, "--help:", repr(done.exception))
    seen.append(words)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            walk(command.get_command(context, name), [*words, name])

seen = []
walk(main, [])
if len(seen) < 20:
    print("only", seen)
"""
#: What is imported only where an extra is used.
_OF_EXTRAS = (
    "bookshelf.log.kafka.",
    "bookshelf.keyring.mariadb",
    "bookshelf.keyring.postgres",
    "bookshelf.media.s3",
    "bookshelf.storage.mariadb.database",
    "bookshelf.storage.mariadb.nodes",
    "bookshelf.storage.mariadb.storage",
    "bookshelf.storage.mariadb.table_sets",
    "bookshelf.storage.postgres.database",
    "bookshelf.storage.postgres.storage",
    "bookshelf.storage.postgres.table_sets",
    "bench.kafka.",
    "bench.nodes.",
    "bench.eventsourcing_baseline",
    "bench.protean_peer",
    "gateway.ingress.rate_limit",
    "gateway.jwt",
    "bookshelf.__main__",
)


def test_all_modules_import_and_every_command_has_help_without_extras() -> None:
    names = sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for root in ("bench", "bookshelf", "gateway")
        for path in (ROOT / root).rglob("*.py")
    )
    chosen = [name for name in names if not name.startswith(_OF_EXTRAS)]
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *chosen],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
