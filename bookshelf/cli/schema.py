"""`bookshelf schema`: the events of this version beside the schemas that were committed."""

import sys
from pathlib import Path

import click

from bookshelf.cli.command import guarded, stop
from bookshelf.runtime.schemas import compare_schemas
from bookshelf.services import SERVICES


@click.group()
def schema() -> None:
    """Look after the schemas of events."""


@schema.command()
@click.option(
    "--schemas",
    "folder",
    type=click.Path(path_type=Path),
    default=Path("docs") / "schemas",
    show_default=True,
    help="The folder of the committed schemas, one file for each event.",
)
def check(folder: Path) -> None:
    """Compare the events of the catalogues with the committed schemas.

    Prints a line for each change of an event that would break readers, or the reading of old records. Ends
    with 0 if there is none, and with 1 if there is one.
    """
    guarded(lambda: _check(folder))


def _check(folder: Path) -> None:
    current, committed, breaking = compare_schemas(SERVICES, folder)
    if not committed:
        stop(f"no schemas in {folder}: run this in a checkout, or name their folder with --schemas")
    for line in breaking:
        click.echo(line)
    if breaking:
        sys.exit(1)
    changed = [name for name in current if current[name] != committed.get(name)]
    for name in changed:
        click.echo(f"{name}: a compatible change; `make docs` writes it")
    click.echo(f"{len(current)} events: no breaking change")
