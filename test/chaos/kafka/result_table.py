"""What every fault did, in one table: printed at the end, and put into docs/ by `make faults`."""

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

_HEAD = ("fault", "rounds", "acknowledged", "retried", "lost", "doubled", "slowest answer", "ready again")
#: Between these the page is written anew; the rest of it is written by hand.
BEGIN, END = "<!-- the table -->", "<!-- its end -->"


class Row(NamedTuple):
    """What a fault did. `retried`: requests without an answer, or with one that has Retry-After."""

    fault: str
    rounds: int
    acknowledged: int
    retried: int
    lost: int
    doubled: int
    slowest_s: float
    recovered_s: float


class Round(Protocol):
    """One round of a fault of the embedded shelf. `ready_s`: seconds until it answered again."""

    @property
    def acknowledged(self) -> int: ...

    @property
    def lost(self) -> int: ...

    @property
    def doubled(self) -> int: ...

    @property
    def ready_s(self) -> float: ...


def row_of(fault: str, rounds: Sequence[Round]) -> Row:
    """Return the row of a fault of the embedded shelf."""
    return Row(
        fault=f"embedded shelf: {fault}",
        rounds=len(rounds),
        acknowledged=sum(one.acknowledged for one in rounds),
        retried=0,
        lost=sum(one.lost for one in rounds),
        doubled=sum(one.doubled for one in rounds),
        slowest_s=0.0,
        recovered_s=max(one.ready_s for one in rounds),
    )


def _cells(row: Row) -> tuple[str, ...]:
    *most, slowest_s, recovered_s = row
    return (*map(str, most), f"{slowest_s:.1f} s", f"{recovered_s:.1f} s")


def markdown(rows: Sequence[Row]) -> str:
    """Return the table, its columns aligned for reading it as text."""
    lines = [_HEAD, *map(_cells, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(_HEAD))]
    shown = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([shown[0], rule, *shown[1:]])


def write(page: Path, rows: Sequence[Row], seed: int) -> None:
    """Put the rows into the page and the JSON beside it; of faults that were not run the former ones stay."""
    figures = page.with_suffix(".json")
    former = [Row(**one) for one in json.loads(figures.read_text())["faults"]] if figures.exists() else []
    known = {row.fault: row for row in [*former, *rows]}
    figures.write_text(json.dumps(_figures(list(known.values()), seed), indent=1) + "\n")
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{markdown(list(known.values()))}\n{END}{after}")


def _figures(rows: Sequence[Row], seed: int) -> dict[str, Any]:
    shown = [
        row._replace(slowest_s=round(row.slowest_s, 2), recovered_s=round(row.recovered_s, 2)) for row in rows
    ]
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    return {"seed": seed, "machine": machine, "faults": [row._asdict() for row in shown]}
