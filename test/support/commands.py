"""The commands of the program, as click knows them."""

from collections.abc import Iterator

import click


def command_paths(group: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command, those of groups too."""
    yield path
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None
            yield from command_paths(found, *path, name)
