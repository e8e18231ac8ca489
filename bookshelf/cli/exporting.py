"""`bookshelf export`: writes the whole shelf to a file that `bookshelf import` can read."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from bookshelf.cli.client import NoShelf, shelf
from bookshelf.cli.faults import guarded, stop
from bookshelf.cli.importing import BOOKS, next_page
from bookshelf.cli.loop import run
from bookshelf.config import Settings, read
from bookshelf.runtime.logs import configure
from bookshelf.shelf.library_files import write_csv, write_jsonl


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@click.option("--url", help="The shelf's address, like http://localhost:8000.")
@click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")
@click.option("--format", "form", type=click.Choice(["csv", "jsonl"]), help="By FILE's ending, else csv.")
def export(file: Path, url: str | None, data: str | None, form: str | None) -> None:
    """Write the whole shelf to FILE, as CSV or JSON lines; without FILE, or for -, to standard output."""
    guarded(lambda: _export(file, read(os.environ, data=data), url, form))


def _export(file: Path, settings: Settings, url: str | None, form: str | None) -> None:
    configure("critical", settings.log_format)
    lines = (form or file.suffix.lstrip(".")) == "jsonl"
    books: list[dict[str, Any]] = []
    found: list[str] = []
    try:
        run(_collect(books, found, settings, url))
    except NoShelf as fault:
        stop(str(fault))
    text = write_jsonl(books) if lines else write_csv(books)
    if str(file) == "-":
        sys.stdout.writelines(text)
        sys.stdout.flush()
    else:
        _write(file, text)
    where = "standard output" if str(file) == "-" else file
    click.echo(f"{len(books)} books of the shelf at {found[0]} written to {where}.", err=True)


def _write(file: Path, text: Iterator[str]) -> None:
    draft = file.with_name(file.name + ".part")
    with draft.open("w", encoding="utf-8", newline="") as out:
        out.writelines(text)
    draft.replace(file)  # a half-written export is never taken for a whole one


async def _collect(
    books: list[dict[str, Any]], found: list[str], settings: Settings, url: str | None
) -> None:
    """Append all books to `books`, and the address of the shelf to `found`."""
    async with shelf(settings, url, new=False) as client:
        found.append(client.where)
        target: str | None = BOOKS
        while target is not None:
            reply = await client.get(target)
            books.extend(reply.body)
            target = next_page(reply)
