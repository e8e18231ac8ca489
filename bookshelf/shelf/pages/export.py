"""The page of exports, and its files: a table, all that the shelf has, and the same with the covers."""

import zipfile
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import ExitStack
from itertools import chain
from tempfile import TemporaryFile
from typing import IO

from bookshelf.http.problem import Problem
from bookshelf.media.port import BlobFault, BlobStore
from bookshelf.shelf.pages.cover_files import covers_of
from bookshelf.site.jobs import JobApi
from bookshelf.site.page import Download, Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

#: Bytes that are sent at a time.
_PIECE = 1 << 16
#: Kinds of files with their media types.
_KINDS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson", "zip": "application/zip"}


class ExportModel(Model):
    """The number of books; None if it cannot be read."""

    count: int | None


async def show_export(request: PageRequest) -> Page:
    """Show what each file has."""
    answer = await request.api.try_get("/books?limit=1")
    return Page("export.html", ExportModel(count=None if answer is None else answer.total))


async def download(request: PageRequest) -> Download:
    """Return the whole shelf as a file."""
    # what writes files is loaded only where it is needed (see jobs.py)
    from bookshelf.shelf.library_files import write_csv, write_jsonl  # noqa: PLC0415
    from bookshelf.shelf.library_files.shelf_copy import ShelfFault, copy_shelf  # noqa: PLC0415
    from bookshelf.shelf.library_files.shelf_index import ShelfIndex  # noqa: PLC0415

    kind = request.path["file"].removeprefix("bookshelf.")
    if kind not in _KINDS:
        raise Problem("no-route", "there is no such file")
    with ExitStack() as stack:
        index = stack.enter_context(ShelfIndex())
        try:
            await copy_shelf(JobApi(request.ports.api(request.caller)), index)
        except ShelfFault as fault:
            raise Problem("unavailable", str(fault)) from fault
        file = stack.enter_context(TemporaryFile())
        if kind == "csv":
            _write(file, chain(["\N{BYTE ORDER MARK}"], write_csv(index.books())))
        elif kind == "jsonl":
            _write(file, write_jsonl(chain(index.books(), index.lists(), index.goals())))
        else:
            digests = {book.cover.digest for book in index.books() if book.cover is not None}
            lines = write_jsonl(chain(index.books(), index.lists(), index.goals()))
            namespace = covers_of(request.caller.owner)
            await _write_zip(file, lines, sorted(digests), request.ports.blobs, namespace)
        opened = stack.pop_all()
    name = f"bookshelf-{request.today.isoformat()}.{kind}"
    return Download(body=_pieces(file, opened), media_type=_KINDS[kind], name=name)


def _write(file: IO[bytes], texts: Iterable[str]) -> None:
    file.writelines(text.encode() for text in texts)


async def _write_zip(
    file: IO[bytes], lines: Iterable[str], digests: list[str], blobs: BlobStore, namespace: str
) -> None:
    """Write the lines, and each cover that is stored in its largest size."""
    from bookshelf.shelf.library_files.archive import BOOKS, COVER  # noqa: PLC0415 (as above)

    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(BOOKS, "w", force_zip64=True) as books:
            _write(books, lines)
        for digest in digests:
            try:
                _, pieces = await blobs.open(f"{namespace}/{digest}")
                content = b"".join([piece async for piece in pieces])
            except BlobFault:
                continue  # the picture is not there any more; the book is
            archive.writestr(zipfile.ZipInfo(COVER.format(digest=digest)), content)


async def _pieces(file: IO[bytes], opened: ExitStack) -> AsyncIterator[bytes]:
    with opened:
        file.seek(0)
        while piece := file.read(_PIECE):
            yield piece


def _examples() -> Mapping[str, Page]:
    return {
        "usual": Page("export.html", ExportModel(count=1204)),
        "empty": Page("export.html", ExportModel(count=0)),
        "failed": Page("export.html", ExportModel(count=None)),
    }


PAGES = (
    PageRoute("/export", get=show_export, title=_("Take your books with you"), examples=_examples),
    PageRoute("/export/{file}", get=download),
)
