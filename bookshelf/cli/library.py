"""`bookshelf import` brings a library file onto a shelf; `bookshelf export` writes a shelf to such a file."""

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, Literal, NamedTuple

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bookshelf.cli.client import NoShelf, Shelf, shelf
from bookshelf.cli.command import MENDABLE, guarded, run, stop
from bookshelf.cli.signing_in import Credentials, takes_login
from bookshelf.config import Settings, read
from bookshelf.runtime.logs import configure
from bookshelf.shelf.library_files import (
    LEFT_OUT,
    ImportOptions,
    ImportReport,
    Library,
    NotALibrary,
    Options,
    ShelfFault,
    ShelfIndex,
    copy_shelf,
    import_library,
    leaves_out,
    new_correlation,
    read_library,
    write_csv,
    write_json,
    write_jsonl,
    write_refused,
)
from bookshelf.shelf.library_files.archive import (
    LibraryArchive,
    cover_digests,
    open_archive,
    unusable_covers,
)
from bookshelf.shelf.library_files.shelf_index import ShelfBook


class _Choices(NamedTuple):
    """The options of one call."""

    url: str | None
    login: Credentials | None
    dry_run: bool
    encoding: str | None
    repair_encoding: bool
    dates: Literal["day-first", "month-first"] | None
    prefer: Literal["shelf", "file"]
    skip_removed: bool
    restore_removed: bool
    as_json: bool


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--url", help="The shelf's address, like http://localhost:8000.")
@click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")
@click.option("--dry-run", is_flag=True, help="Only report what would be done.")
@click.option(
    "--encoding", metavar="NAME", help="The file's encoding, like windows-1251, if it is not found."
)
@click.option("--repair-encoding", is_flag=True, help="Repair texts that were encoded twice.")
@click.option(
    "--dates", type=click.Choice(["day-first", "month-first"]), help="How dates like 01/03/2024 are read."
)
@click.option(
    "--prefer",
    type=click.Choice(["shelf", "file"]),
    default="shelf",
    help="Which value stays if the file differs from one that was set by hand; the shelf's, if left out.",
)
@click.option("--skip-removed", is_flag=True, help="Leave out removed books, also those of an own export.")
@click.option(
    "--restore-removed", is_flag=True, help="Restore removed books, also for other programs' files."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON object.")
@takes_login
def import_(file: Path, data: str | None, **options: object) -> None:
    """Bring a library FILE onto the shelf: an export of this or another program, or any table of books.

    An archive (.zip) of an export has covers, too. FILE is - for standard input. A second import of a file
    changes only what differs. A file of the refused lines is written beside FILE; for standard input it is
    stdin.refused.csv or .jsonl in the current folder.
    """
    choices = _Choices(**options)  # type: ignore[arg-type]  # click has checked them
    if choices.skip_removed and choices.restore_removed:
        stop("--skip-removed and --restore-removed exclude each other: choose one")
    guarded(lambda: _import_file(file, read(os.environ, data=data), choices))


def _import_file(file: Path, settings: Settings, choices: _Choices) -> None:
    configure("critical", settings.log_format)
    with _input_file(file) as content, ImportReport(new_correlation(), preview=choices.dry_run) as report:
        beside = Path("stdin") if str(file) == "-" else file
        _bring_file(content, beside, settings, choices, report)


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


def _bring_file(
    file: Path, beside: Path, settings: Settings, choices: _Choices, report: ImportReport
) -> None:
    try:
        with open_archive(file) as archive:
            library = read_library(file if archive is None else archive.books, _file_options(choices))
            run(_bring(library, archive, report, settings, choices))
            if report.refused:
                report.refused_file = str(_write_refused(library, report, beside))
    except (NotALibrary, ShelfFault) as fault:
        stop(str(fault))
    except KeyboardInterrupt:
        _print(report, as_json=choices.as_json)
        click.echo("bookshelf: stopped; run the same command again to go on", err=True)
        sys.exit(130)
    except NoShelf as fault:
        _print(report, as_json=choices.as_json)
        click.echo(f"bookshelf: {fault}; then run the same command again to go on", err=True)
        sys.exit(MENDABLE)
    _print(report, as_json=choices.as_json)


def _file_options(choices: _Choices) -> Options:
    return Options(
        today=datetime.now(UTC).astimezone().date(),
        encoding=choices.encoding,
        day_first=None if choices.dates is None else choices.dates == "day-first",
        repair_encoding=choices.repair_encoding,
    )


def _write_refused(library: Library, report: ImportReport, path: Path) -> Path:
    """Write the refused lines to a file beside the imported one, for a user to correct and import."""
    suffix = ".csv" if library.header else ".jsonl"
    target = path.with_name(f"{path.stem}.refused{suffix}")
    with target.open("w", encoding="utf-8-sig" if library.header else "utf-8", newline="") as file:
        file.writelines(write_refused(library, report.refused))
    return target


def _print(report: ImportReport, *, as_json: bool) -> None:
    if as_json:
        for part in report.as_json():
            click.echo(part, nl=False)
        click.echo()
        return
    for line in report.as_text():
        click.echo(line)


async def _bring(
    library: Library,
    archive: LibraryArchive | None,
    report: ImportReport,
    settings: Settings,
    choices: _Choices,
) -> None:
    options = ImportOptions(
        prefer_file=choices.prefer == "file",
        skip_removed=choices.skip_removed,
        restore_removed=choices.restore_removed,
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True, quiet=choices.as_json or not sys.stderr.isatty())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(library.form, total=library.rows)
        async with shelf(settings, choices.url, choices.login) as client:
            click.echo(f"Importing to the shelf at {client.where}.", err=True)
            if archive is not None and not report.preview:
                await _send_covers(client, archive, library, report)
            now = datetime.now(UTC)
            await import_library(client, library, report, options, now, lambda: progress.advance(bar))


async def _send_covers(
    client: Shelf, archive: LibraryArchive, library: Library, report: ImportReport
) -> None:
    """Store the pictures of the books' covers; those that cannot be used are counted in a remark."""
    unusable = 0
    for digest in sorted(cover_digests(library)):
        content = archive.cover(digest)
        sent = content and await client.put(f"/covers/{digest}.webp", content, "image/webp")
        unusable += not sent or sent.status >= HTTPStatus.BAD_REQUEST
    if unusable:
        report.warn(0, unusable_covers(unusable))


_WRITERS: Mapping[str, Callable[[Iterable[Any]], Iterator[str]]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "json": write_json,
}
_ARCHIVE = "zip"
_ENDINGS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "json", ".zip": _ARCHIVE}
_OUTPUT = Path("-")
#: Reaches the shelf that is exported.
_Opening = Callable[[], AbstractAsyncContextManager[Shelf]]


@click.command()
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True), default="-")
@click.option("--url", help="The shelf's address, like http://localhost:8000.")
@click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")
@click.option(
    "--format", "form", type=click.Choice([*_WRITERS, _ARCHIVE]), help="By FILE's ending, else csv."
)
@takes_login
def export(
    file: Path, url: str | None, data: str | None, form: str | None, login: Credentials | None
) -> None:
    """Write the whole shelf to FILE; without FILE, or for -, to standard output.

    FILE ends with .jsonl, .ndjson or .json for all that the shelf has, with .zip for that and the pictures of
    covers, or with .csv for spreadsheets.
    """
    chosen = form or _format_of(file)

    def work() -> None:
        settings = read(os.environ, data=data)
        configure("critical", settings.log_format)
        opening = partial(shelf, settings, url, login, new=False)
        if chosen == _ARCHIVE:
            _export_archive(file, opening)
        else:
            _export(file, opening, chosen)

    guarded(work)


def _format_of(file: Path) -> str:
    if file == _OUTPUT:
        return "csv"
    form = _ENDINGS.get(file.suffix.lower())
    if form is None:
        stop(f"{file} has an ending that is not known: use {', '.join(_ENDINGS)}, or --format")
    return form


def _export(file: Path, opening: _Opening, form: str) -> None:
    with ShelfIndex() as index:
        places: list[str] = []
        try:
            run(_copy(index, places, opening))
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


def _export_archive(file: Path, opening: _Opening) -> None:
    """Write the archive that the page of exports has."""
    where, books = "", 0

    async def save(out: IO[bytes]) -> None:
        nonlocal where, books
        async with opening() as client:
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


async def _copy(index: ShelfIndex, places: list[str], opening: _Opening) -> None:
    """Read the shelf into the index, and append its address to `places`."""
    async with opening() as client:
        places.append(client.where)
        await copy_shelf(client, index)
