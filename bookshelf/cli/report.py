"""What became of an import: counts, refused lines, remarks; for people, for programs, as a file to mend."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bookshelf.shelf.library_files import Entry, Library, Refusal, write_refused

#: Refused lines and remarks that are shown to a person; the file has them all.
_SHOWN = 20


class Report:
    """Counts as an import goes on. Seconds are since the report was begun."""

    def __init__(self) -> None:
        self.read = self.added = self.finished = self.unchanged = 0
        self.refused: list[Refusal] = []
        self.warnings: list[tuple[int, str]] = []
        self._began = time.monotonic()

    def count(self, *, added: bool, finished: bool) -> None:
        """Count one line that the shelf took."""
        self.added += added
        self.finished += finished
        self.unchanged += not (added or finished)

    def refuse(self, refusal: Refusal) -> None:
        """Keep one line that it did not take."""
        self.refused.append(refusal)

    def remark(self, entry: Entry) -> None:
        """Keep what was left out of a line that it took."""
        self.warnings.extend((entry.line, note) for note in entry.notes)

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        return {
            "read": self.read,
            "added": self.added,
            "finished": self.finished,
            "unchanged": self.unchanged,
            "refused": [{"line": one.line, "reason": one.reason} for one in self._in_order()],
            "warnings": [{"line": line, "reason": reason} for line, reason in sorted(self.warnings)],
            "seconds": round(time.monotonic() - self._began, 3),
        }

    def as_text(self) -> Iterator[str]:
        """Yield the report's lines for people."""
        seconds = time.monotonic() - self._began
        yield (
            f"{self.read} books read in {seconds:.1f} s: {self.added} added, {self.finished} finished, "
            f"{self.unchanged} there already, {len(self.refused)} refused."
        )
        yield from _some("Refused", [(one.line, one.reason) for one in self._in_order()])
        yield from _some("Left out", sorted(self.warnings))

    def _in_order(self) -> list[Refusal]:
        return sorted(self.refused, key=lambda one: one.line)

    def write_refused(self, library: Library, path: Path) -> Path | None:
        """Write the refused lines beside the file, to mend and import again; return where, or None."""
        if not self.refused:
            return None
        suffix = ".csv" if library.header else ".jsonl"
        there = path.with_name(f"{path.stem}.refused{suffix}")
        with there.open("w", encoding="utf-8-sig" if library.header else "utf-8", newline="") as file:
            file.writelines(write_refused(library, self._in_order()))
        return there


def _some(title: str, lines: list[tuple[int, str]]) -> Iterator[str]:
    if lines:
        yield f"{title}:"
    for line, reason in lines[:_SHOWN]:
        yield f"  line {line}: {reason}"
    if len(lines) > _SHOWN:
        yield f"  and {len(lines) - _SHOWN} more (--json lists them all)"
