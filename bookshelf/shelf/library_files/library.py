"""Reads a library file of any supported program."""

from collections.abc import Iterator
from pathlib import Path

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.library_files.entry import Line
from bookshelf.shelf.library_files.format import IGNORED
from bookshelf.shelf.library_files.json_table import JsonTable, open_json
from bookshelf.shelf.library_files.setting import Options
from bookshelf.shelf.library_files.source import Source, find
from bookshelf.shelf.library_files.table import Table, open_table
from bookshelf.shelf.library_files.text import decode_twice_encoded, shown

_ASSUMED = {
    True: phrase("dates are read with the day first, which nothing proves; --dates month-first changes it"),
    False: phrase("dates are read with the month first, which nothing proves; --dates day-first changes it"),
}


class Library:
    """The records of one file; each iteration reads its entries from the start.

    `form` is the name of the format, and `exact` is true if it is the project's own. `rows` is the number
    of records, for a progress bar. `delimiter` and `header` are those of the file, and empty for JSON.
    `encoding` is the one that the file was read in. `dates` is `day-first` or `month-first`, or None if the
    file has no date that needs it; `dates_assumed` is true if neither the file nor the user decides it.
    `columns` has what became of each column, and `remarks` are sentences about the whole file, to show to
    the user.
    """

    def __init__(self, content: Table | JsonTable, options: Options) -> None:
        self._content = content
        self._setting = setting = content.setting(options)
        self.form = content.form.name
        self.exact = content.form.exact
        self.rows = setting.rows
        self.delimiter = content.delimiter
        self.header = content.header
        self.encoding = content.source.encoding
        self.dates = ("day-first" if setting.day_first else "month-first") if setting.asked else None
        self.dates_assumed = setting.asked and not setting.sure
        self.columns = setting.columns
        self.remarks = tuple(self._remarks(content.source))

    def __iter__(self) -> Iterator[Line]:
        """Read the file from its start; memory stays small however large it is."""
        return self._content.entries(self._setting)

    def _remarks(self, source: Source) -> Iterator[Phrase]:
        setting = self._setting
        if not source.encoding.startswith("utf"):
            yield phrase(
                "the file is read as {encoding}; --encoding chooses another encoding",
                encoding=source.encoding,
            )
        if source.errors == "replace" and source.encoding.startswith("utf-8"):
            yield phrase("the file is UTF-8 with damaged letters, which are shown as \ufffd")
        if source.other:
            here, there = map(shown, source.lines)
            yield phrase(
                "{encoding} fits nearly as well: {here} would be {there}",
                encoding=source.other,
                here=here,
                there=there,
            )
        if setting.twice_encoded:
            yield self._twice_encoded(setting.twice_example)
        if self.dates_assumed:
            yield _ASSUMED[setting.day_first]
        if not setting.scale:
            yield phrase("the rating column was left out: it holds averages, no reader's own stars")
        if setting.rated_is_read:
            yield phrase("the file does not have which books are read: those with a rating count as read")
        ignored = [use.name for use in self.columns if use.field == IGNORED and use.values and setting.scale]
        if ignored and not self._content.form.exact:
            yield phrase("columns left out: {names}", names=tuple(ignored))

    def _twice_encoded(self, text: str) -> Phrase:
        remark = (
            phrase("{count} values were repaired, such as {text} for {repaired}")
            if self._setting.options.repair_encoding
            else phrase(
                "{count} values look encoded twice, such as {text} for {repaired};"
                " --repair-encoding repairs them"
            )
        )
        repaired = shown(decode_twice_encoded(text))
        return remark.with_values(count=self._setting.twice_encoded, text=shown(text), repaired=repaired)


def read_library(path: Path, options: Options) -> Library:
    """Recognise the format of a file by its content, and return its library.

    The file is read a few times, and never as a whole into memory. Raises `NotALibrary`, with one sentence to
    show, for a file that is not text, is too large, is empty or has no books.
    """
    source = find(path, options.encoding)
    return Library(open_json(source) or open_table(source), options)
