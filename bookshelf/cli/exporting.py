"""`bookshelf export`: writes the whole shelf to a file that `bookshelf import` can read."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import IO, Any

import click

from bookshelf.cli.client import NoShelf, shelf
from bookshelf.cli.faults import guarded, stop
from bookshelf.cli.loop import run
from bookshelf.config import Settings, read
from bookshelf.runtime.logs import configure
from bookshelf.shelf.library_files import (
    LEFT_OUT,
    ShelfFault,
    ShelfIndex,
    copy_shelf,
    leaves_out,
    write_csv,
    write_json,
    write_jsonl,
)
from bookshelf.shelf.library_files.shelf_index import ShelfBook

_WRITERS: Mapping[str, Callable[[Iterable[Any]], Iterator[str]]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "json": write_json,
}
_ARCHIVE = "zip"
_ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".zip": _ARCHIVE}
_OUTPUT = Path("-")


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@click.option("--url", help="The shelf's address, like http://localhost:8000.")
@click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")
@click.option(
    "--format", "form", type=click.Choice([*_WRITERS, _ARCHIVE]), help="By FILE's ending, else csv."
)
def export(file: Path, url: str | None, data: str | None, form: str | None) -> None:
    """Write the whole shelf to FILE; without FILE, or for -, to standard output.

    FILE ends with .jsonl, .ndjson or .json for all that the shelf has, with .zip for that and the pictures of
    covers, or with .csv for spreadsheets.
    """
    chosen = form or _format_of(file)
    write = _export_archive if chosen == _ARCHIVE else _export
    guarded(lambda: write(file, read(os.environ, data=data), url, chosen))


def _format_of(file: Path) -> str:
    if file == _OUTPUT:
        return "csv"
    form = _ENDINGS.get(file.suffix.lower())
    if form is None:
        stop(f"{file} has an ending that is not known: use {', '.join(_ENDINGS)}, or --format")
    return form


def _export(file: Path, settings: Settings, url: str | None, form: str) -> None:
    configure("critical", settings.log_format)
    with ShelfIndex() as index:
        places: list[str] = []
        try:
            run(_copy(index, places, settings, url))
        except (NoShelf, ShelfFault) as fault:
            stop(str(fault))
        counts: Counter[str] = Counter()

        def counted() -> Iterator[ShelfBook]:
            for book in index.books():
                counts["books"] += 1
                counts["cut"] += form == "csv" and leaves_out(book)
                yield book

        more = [] if form == "csv" else chain(index.lists(), index.goals())
        text = _WRITERS[form](chain(counted(), more))
        if file == _OUTPUT:
            sys.stdout.writelines(text)
            sys.stdout.flush()
        else:
            _write(file, text, "utf-8-sig" if form == "csv" else "utf-8")
    where = "standard output" if file == _OUTPUT else file
    click.echo(f"{counts['books']} books of the shelf at {places[0]} written to {where}.", err=True)
    if cut := counts["cut"]:
        have = "has" if cut == 1 else "have"
        click.echo(f"{cut} of them {have} more than CSV can hold.", err=True)
    if form == "csv":
        click.echo(f"CSV leaves out {LEFT_OUT}.", err=True)


def _export_archive(file: Path, settings: Settings, url: str | None, _form: str) -> None:
    """Write the archive that the page of exports has."""
    configure("critical", settings.log_format)
    where, books = "", 0

    async def save(out: IO[bytes]) -> None:
        nonlocal where, books
        async with shelf(settings, url, new=False) as client:
            where = client.where
            books = (await client.get("/bookshelf/books?limit=1")).total or 0  # once the shelf answers
            await client.save("/export/bookshelf.zip", out)

    draft = file.with_name(file.name + ".part")
    try:
        if file == _OUTPUT:
            run(save(sys.stdout.buffer))
        else:
            with draft.open("wb") as out:
                run(save(out))
            draft.replace(file)
    except NoShelf as fault:
        draft.unlink(missing_ok=True)
        stop(str(fault))
    target = "standard output" if file == _OUTPUT else file
    click.echo(f"{books} books of the shelf at {where} and their covers written to {target}.", err=True)


def _write(file: Path, text: Iterator[str], encoding: str) -> None:
    draft = file.with_name(file.name + ".part")
    with draft.open("w", encoding=encoding, newline="") as out:
        out.writelines(text)
    draft.replace(file)  # a half-written export is never taken for a whole one


async def _copy(index: ShelfIndex, places: list[str], settings: Settings, url: str | None) -> None:
    """Read the shelf into the index, and append its address to `places`."""
    async with shelf(settings, url, new=False) as client:
        places.append(client.where)
        await copy_shelf(client, index)
