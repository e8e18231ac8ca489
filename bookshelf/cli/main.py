"""The `bookshelf` command."""

import gc
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

import click

from bookshelf import __version__
from bookshelf.cli.output import closed_output_is_no_error

#: Subcommands by name: where they are, and what they do. Each is imported only when it is asked for, so that
#: every one, and the list of them, is there at once.
_COMMANDS = {
    "up": ("bookshelf.cli.up:up", "Run the whole shelf in this process."),
    "run": ("bookshelf.cli.run:run", "Run one service, or the gateway, on Kafka and Consul."),
    "import": ("bookshelf.cli.library:import_", "Bring a library file onto the shelf."),
    "export": ("bookshelf.cli.library:export", "Write the whole shelf to a file."),
    "changes": ("bookshelf.cli.changes:changes", "List the changes of the shelf, newest first."),
    "undo": ("bookshelf.cli.changes:undo", "Take changes back."),
    "backup": ("bookshelf.cli.backup:backup", "Write a checked backup of the shelf."),
    "restore": ("bookshelf.cli.backup:restore", "Restore the shelf from a backup."),
    "events": ("bookshelf.cli.events:events", "Look at the events in the log."),
    "topics": ("bookshelf.cli.events:topics", "Look after the topics of the log."),
    "dlq": ("bookshelf.cli.admin:dlq", "Dead letters: list, apply again, drop."),
    "views": ("bookshelf.cli.admin:views", "Look after the views."),
    "log-level": ("bookshelf.cli.admin:log_level", "Set the log level of running processes."),
    "accounts": ("bookshelf.cli.accounts:accounts", "Look after accounts."),
    "shop": ("bookshelf.cli.shop:shop", "Check the laws of the shop, and its files."),
    "photos": ("bookshelf.cli.photos:photos", "Check photos and their images, and delete unused ones."),
    "node": ("bookshelf.cli.node:node", "Run groups of services on Kafka and Consul."),
    "admin": ("bookshelf.cli.admin_cluster:admin", "Change what all nodes of a domain run."),
    "repo": ("bookshelf.cli.repo:repo", "Look after the repository of a domain."),
    "package": ("bookshelf.cli.repo:package", "Make packages of services."),
    "demo": ("bookshelf.cli.demo:demo", "Fill a new data folder with a made-up system to look at."),
    "schema": ("bookshelf.cli.schema:schema", "Look after the schemas of events."),
    "health": ("bookshelf.cli.health:health", "Ask services on this machine if they are well."),
    "dev": ("bookshelf.cli.dev:dev", "Run servers to develop with."),
    "forward": ("bookshelf.cli.forward:forward", "Pass connections on to instances elsewhere."),
}
#: What the program starts itself.
_HIDDEN = {"child": "bookshelf.cli.child:child"}


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

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (as above)
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in _COMMANDS.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS and cmd_name not in _HIDDEN:
            return None
        module, _, name = (_HIDDEN.get(cmd_name) or _COMMANDS[cmd_name][0]).partition(":")
        command: Any = getattr(_imported(module), name)
        assert isinstance(command, click.Command)  # noqa: S101 (the table above has commands only)
        return command


def _imported(name: str) -> ModuleType:
    """Import a module, at its first import without collections of garbage.

    What modules make is kept until the process ends: neither imports nor the end look for garbage in it.
    """
    if name in sys.modules:
        return sys.modules[name]
    enabled = gc.isenabled()
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bookshelf")
def main() -> None:
    """Keep, import, find and finish books."""
