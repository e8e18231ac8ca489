"""The `bookshelf` command."""

from importlib import import_module
from typing import Any

import click

from bookshelf import __version__

#: Subcommands by name: each is imported only when it is asked for, so that every one starts fast.
_COMMANDS = {
    "up": "bookshelf.cli.up:up",
    "run": "bookshelf.cli.running:run",
    "import": "bookshelf.cli.importing:import_",
    "export": "bookshelf.cli.exporting:export",
    "backup": "bookshelf.cli.backup:backup",
    "restore": "bookshelf.cli.backup:restore",
    "events": "bookshelf.cli.events:events",
    "topics": "bookshelf.cli.topics:topics",
    "dlq": "bookshelf.cli.dlq:dlq",
    "views": "bookshelf.cli.views:views",
    "bench": "bookshelf.cli.bench:bench",
    "health": "bookshelf.cli.health:health",
    "forward": "bookshelf.cli.forward:forward",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        where = _COMMANDS.get(cmd_name)
        if where is None:
            return None
        module, _, name = where.partition(":")
        found: Any = getattr(import_module(module), name)
        assert isinstance(found, click.Command)  # noqa: S101 (the table above says so)
        return found


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bookshelf")
def main() -> None:
    """Keep, import, find and finish books."""
