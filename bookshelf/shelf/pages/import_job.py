"""The job that previews or carries out the import of an uploaded file, and one that takes an import back."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import msgspec

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.http.problem import Problem
from bookshelf.media.pictures import restore_picture
from bookshelf.shelf.library_files import Library, NotALibrary, Options, read_library, write_refused
from bookshelf.shelf.library_files.archive import LibraryArchive, cover_digests, open_archive, unusable_covers
from bookshelf.shelf.library_files.entry import Entry, Refusal
from bookshelf.shelf.library_files.export import csv_line
from bookshelf.shelf.library_files.report import ImportReport
from bookshelf.shelf.library_files.runner import ImportOptions, ImportRunner
from bookshelf.shelf.library_files.shelf_copy import ShelfFault
from bookshelf.shelf.library_files.shelf_index import ShelfIndex
from bookshelf.shelf.pages.cover_files import covers_of
from bookshelf.shelf.pages.import_report import (
    Column,
    ImportChoices,
    ImportCounts,
    ImportResult,
    RefusedLine,
)
from bookshelf.site.job_store import Job
from bookshelf.site.jobs import CallerJobs, JobFault, JobRun

#: Books of a file that are shown.
_BOOKS_SHOWN = 8
#: Lists that get entries, the largest ones.
_LISTS_SHOWN = 12


async def import_file(run: JobRun) -> dict[str, Any]:
    """Preview or import the file of a job; return the report. Raises `JobFault`, `ShelfFault`."""
    choices = msgspec.convert(run.job.parameters, ImportChoices)
    with (
        _opened(run.path, run.job.name) as archive,
        ImportReport(choices.correlation, preview=choices.preview) as report,
        ShelfIndex() as index,
    ):
        library = await _read(run.path if archive is None else archive.books, run.job.name, choices)
        report.describe(library)
        run.show(dict(msgspec.to_builtins(await asyncio.to_thread(_result, library, report))))
        if archive is not None and not choices.preview:
            await _restore_covers(run, archive, library, report)
        options = _import_options(library, choices)
        runner = ImportRunner(run.api, index, report, options, run.job.made)
        done = 0

        def progress() -> None:
            nonlocal done
            done += 1
            run.progress(done, library.rows)

        await runner.run(library, progress)
        refused = [RefusedLine(line=each.line, reason=each.reason, cells=each.raw) for each in report.refused]
        await run.add_lines("refused", enumerate(refused))
        await run.add_lines("differences", enumerate(report.differences))
        await run.add_lines("warnings", enumerate(each for each in report.warnings if each.line))
        result = await asyncio.to_thread(_result, library, report)
    result.continued = run.job.starts > 1
    return dict(msgspec.to_builtins(result))


@contextmanager
def _opened(path: Path, name: str) -> Iterator[LibraryArchive | None]:
    """Yield the archive that a file is, or None. Raises `JobFault`."""
    try:
        with open_archive(path) as archive:
            yield archive
    except NotALibrary as fault:
        raise JobFault(fault.reason.with_values(file=name)) from fault


async def _restore_covers(
    run: JobRun, archive: LibraryArchive, library: Library, report: ImportReport
) -> None:
    """Store the covers of the file's books that are not stored yet."""
    missing, namespace = 0, covers_of(run.job.caller.owner)
    for digest in sorted(await asyncio.to_thread(cover_digests, library)):
        name = f"{namespace}/{digest}"
        if await run.ports.blobs.stat(name) is not None:
            continue
        content = await asyncio.to_thread(archive.cover, digest)
        try:
            await restore_picture(content or b"", name, run.ports.pictures, run.ports.blobs)
        except Problem:
            missing += 1
    if missing:
        report.warn(0, unusable_covers(missing))


def _import_options(library: Library, choices: ImportChoices) -> ImportOptions:
    return ImportOptions(
        exact=library.exact,
        prefer_file=choices.prefer_file,
        skip_removed=choices.restore is False,
        restore_removed=choices.restore is True,
        left_out=phrase("the choice for removed books puts it back"),
    )


async def _read(path: Path, name: str, choices: ImportChoices) -> Library:
    options = Options(
        today=date.fromisoformat(choices.today),
        encoding=choices.encoding or None,
        day_first=choices.day_first,
        repair_encoding=choices.repair_encoding,
        columns=choices.columns,
    )
    try:
        return await asyncio.to_thread(read_library, path, options)
    except NotALibrary as fault:
        raise JobFault(fault.reason.with_values(file=name)) from fault


def _result(library: Library, report: ImportReport) -> ImportResult:
    counts = {name: getattr(report, name) for name in ImportCounts.__struct_fields__ if name != "refused"}
    entries = (line for line in library if isinstance(line, Entry))
    return ImportResult(
        counts=ImportCounts(**counts, refused=len(report.refused)),
        rows=library.rows,
        program=library.form,
        exact=library.exact,
        encoding=library.encoding,
        dates=library.dates or "",
        dates_assumed=library.dates_assumed,
        columns=tuple(Column(**msgspec.structs.asdict(use)) for use in library.columns),
        header=library.header,
        remarks=library.remarks,
        differences=len(report.differences),
        warnings=sum(1 for each in report.warnings if each.line),
        books=tuple((entry.book.title, entry.book.author) for entry in islice(entries, _BOOKS_SHOWN)),
        seconds=report.seconds,
        new_books=dict(+report.new_books),
        lists=tuple((+report.entries).most_common(_LISTS_SHOWN)),
    )


async def retry_line(jobs: CallerJobs, job: Job, number: int, cells: tuple[str, ...]) -> Phrase | None:
    """Import one refused line with corrected cells; return why it was refused again, None if it was not.

    The report counts it then among the books that the import has added or changed. Raises `JobFault`.
    """
    choices = msgspec.convert(job.parameters, ImportChoices)
    with (
        _opened(jobs.path(job.id), job.name) as archive,
        NamedTemporaryFile("w", encoding="utf-8", newline="", suffix=".import") as file,
    ):
        library = await _read(jobs.path(job.id) if archive is None else archive.books, job.name, choices)
        file.writelines(_one_line(library, cells))
        file.flush()
        corrected = await _read(Path(file.name), job.name, msgspec.structs.replace(choices, encoding="utf-8"))
        with ImportReport(choices.correlation) as report, ShelfIndex() as index:
            options = _import_options(corrected, choices)
            runner = ImportRunner(jobs.api, index, report, options, job.made)
            try:
                await runner.run(corrected, lambda: None)
            except ShelfFault as fault:
                raise JobFault(str(fault)) from fault
            if report.refused:
                return next(iter(report.refused)).reason
            await _note_corrected(jobs, job, number, report)
    return None


def _one_line(library: Library, cells: tuple[str, ...]) -> list[str]:
    """Return a file in the format of another one with one record."""
    if not library.header:
        return [cells[0], "\n"]
    if len(cells) == 1 < len(library.header):  # the text of a broken record
        return [csv_line(library.header, library.delimiter), cells[0].strip("\n"), "\n"]
    return [csv_line(library.header, library.delimiter), csv_line(cells, library.delimiter)]


async def _note_corrected(jobs: CallerJobs, job: Job, number: int, report: ImportReport) -> None:
    ((_, content),) = await jobs.lines(job.id, "refused", number - 1)
    line = msgspec.structs.replace(msgspec.convert(content, RefusedLine), corrected=True)
    await jobs.put_lines(job.id, "refused", [(number, line)])
    result = msgspec.convert(job.report, ImportResult)
    counts = result.counts
    for name in ("added", "updated", "finished", "unchanged", "restored", "skipped", "lists", "listed"):
        setattr(counts, name, getattr(counts, name) + getattr(report, name))
    counts.refused -= 1
    await jobs.put_report(job, dict(msgspec.to_builtins(result)))


async def refused_file(
    jobs: CallerJobs, job: Job, refused: list[RefusedLine], translate: Callable[[Phrase], str]
) -> tuple[str, bytes]:
    """Return the name and the content of a file of refused lines, in the format of the imported one."""
    choices = msgspec.convert(job.parameters, ImportChoices)
    with _opened(jobs.path(job.id), job.name) as archive:
        library = await _read(jobs.path(job.id) if archive is None else archive.books, job.name, choices)
    refusals = (Refusal(each.line, _as_phrase(each.reason), each.cells) for each in refused)
    lines = write_refused(library, refusals, translate)
    ending, encoding = (".csv", "utf-8-sig") if library.header else (".jsonl", "utf-8")
    stem = Path(job.name).stem or "import"
    return f"{stem}.refused{ending}", "".join(lines).encode(encoding)


def _as_phrase(reason: Phrase | str) -> Phrase:
    return Phrase(reason) if isinstance(reason, str) else reason
