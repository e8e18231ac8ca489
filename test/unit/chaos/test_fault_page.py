"""docs/faults.md shows the figures of docs/faults.json: a run of some rows leaves all others as they are."""

import json
from pathlib import Path

from chaos.kafka.result_table import BEGIN, END, Row, markdown, write
from support.process import ROOT

PAGE = ROOT / "docs" / "faults.md"


def test_the_table_of_the_page_is_that_of_the_figures() -> None:
    rows = [Row(**row) for row in json.loads(PAGE.with_suffix(".json").read_text())["faults"]]
    shown = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()
    assert shown.splitlines() == markdown(rows).splitlines()


def test_a_run_of_some_rows_leaves_the_others(tmp_path: Path) -> None:
    page = tmp_path / "faults.md"
    page.write_text(f"before\n{BEGIN}\n{END}\nafter\n")
    first, second = (Row(name, 3, 7, 0, 0, 0, 1.0, 2.0) for name in ("a", "b"))
    write(page, [first, second], 1)
    write(page, [second._replace(rounds=5)], 1)
    table = markdown([first, second._replace(rounds=5)])
    assert page.read_text() == f"before\n{BEGIN}\n{table}\n{END}\nafter\n"
