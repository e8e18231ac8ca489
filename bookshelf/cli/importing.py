"""`bookshelf import`: a reader's real library, through the HTTP door."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bookshelf.cli.client import NoShelf, shelf
from bookshelf.cli.faults import MENDABLE, guarded, stop
from bookshelf.cli.importer import Importer
from bookshelf.cli.loop import run
from bookshelf.cli.report import Report
from bookshelf.config import Settings, read
from bookshelf.runtime.logs import configure
from bookshelf.shelf.library_files import Library, NotALibrary, read_library


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--url", help="The shelf's address, like http://localhost:8000.")
@click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
def import_(file: Path, url: str | None, data: str | None, *, as_json: bool) -> None:
    """Bring a library FILE onto the shelf: Goodreads, StoryGraph, Open Library, Calibre, or any CSV.

    FILE is - for standard input. Running it again adds nothing twice. A file of the refused lines is written
    beside FILE; for standard input it is stdin.refused.csv or .jsonl in the current folder.
    """
    guarded(lambda: _import_file(file, read(os.environ, data=data), url, as_json=as_json))


def _import_file(file: Path, settings: Settings, url: str | None, *, as_json: bool) -> None:
    configure("critical", settings.log_format)
    with _input_file(file) as content:
        beside = Path("stdin") if str(file) == "-" else file
        _bring_file(content, beside, settings, url, as_json=as_json)


@contextmanager
def _input_file(file: Path) -> Iterator[Path]:
    """Yield the file, or a temporary copy of standard input for -: a library is read more than once."""
    if str(file) != "-":
        yield file
        return
    with NamedTemporaryFile() as copy:
        shutil.copyfileobj(sys.stdin.buffer, copy)
        copy.flush()
        yield Path(copy.name)


def _bring_file(file: Path, beside: Path, settings: Settings, url: str | None, *, as_json: bool) -> None:
    report = Report()
    try:
        library = read_library(file, today=datetime.now(UTC).astimezone().date())
        run(_bring(library, report, settings, url, quiet=as_json))
    except NotALibrary as fault:
        stop(str(fault))
    except KeyboardInterrupt:
        _tell(report, as_json=as_json)
        click.echo("bookshelf: stopped; run the same command again to go on", err=True)
        sys.exit(130)
    except NoShelf as fault:
        _tell(report, as_json=as_json)
        click.echo(f"bookshelf: {fault}; then run the same command again to go on", err=True)
        sys.exit(MENDABLE)
    _end(library, report, beside, as_json=as_json)


def _end(library: Library, report: Report, file: Path, *, as_json: bool) -> None:
    _tell(report, as_json=as_json)
    for remark in library.remarks:
        click.echo(f"Note: {remark}.", err=True)
    there = report.write_refused(library, file)
    if there is not None:
        click.echo(f"The refused lines are in {there}: mend them there and import that file.", err=True)


def _tell(report: Report, *, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.encode(report.as_json()))
        return
    for line in report.as_text():
        click.echo(line)


async def _bring(
    library: Library, report: Report, settings: Settings, url: str | None, *, quiet: bool
) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True, quiet=quiet or not sys.stderr.isatty())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(library.form, total=library.rows)
        async with shelf(settings, url) as there:
            click.echo(f"Importing to the shelf at {there.where}.", err=True)
            await Importer(there, report, lambda: progress.advance(bar)).run(library)
