"""The `bookshelf` command."""

from importlib import import_module
from typing import Any

import click

from bookshelf import __version__
from bookshelf.cli.output import closed_output_is_no_error

#: Subcommands by name: each is imported only when it is asked for, so that every one starts fast.
_COMMANDS = {
    "up": "bookshelf.cli.up:up",
    "run": "bookshelf.cli.run:run",
    "import": "bookshelf.cli.library:import_",
    "export": "bookshelf.cli.library:export",
    "changes": "bookshelf.cli.changes:changes",
    "undo": "bookshelf.cli.changes:undo",
    "backup": "bookshelf.cli.backup:backup",
    "restore": "bookshelf.cli.backup:restore",
    "events": "bookshelf.cli.events:events",
    "topics": "bookshelf.cli.events:topics",
    "dlq": "bookshelf.cli.admin:dlq",
    "views": "bookshelf.cli.admin:views",
    "log-level": "bookshelf.cli.admin:log_level",
    "schema": "bookshelf.cli.schema:schema",
    "health": "bookshelf.cli.health:health",
    "forward": "bookshelf.cli.forward:forward",
}


class _Lazy(click.Group):
    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 (click's signature)
    ) -> click.Context:
        with closed_output_is_no_error():  # of --help and --version
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 (click's signature)
        with closed_output_is_no_error():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        address = _COMMANDS.get(cmd_name)
        if address is None:
            return None
        module, _, name = address.partition(":")
        command: Any = getattr(import_module(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 (the table above has commands only)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bookshelf")
def main() -> None:
    """Keep, import, find and finish books."""
