"""While a view is built anew, no statement reads a whole table: else the time would grow with its square.

Most indexes are created at the end of a rebuild only, so what a statement of a handler needs must be there
before: a primary key or a unique index.
"""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from support.process import ROOT

from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.cqrs.view import View, recorded_event
from bookshelf.services import SERVICES
from bookshelf.storage import statements
from bookshelf.storage.sqlite import SqliteStorage

GOLDEN = [
    line
    for file in sorted((ROOT / "test/fixtures/golden").rglob("*.jsonl"))
    for line in file.read_bytes().splitlines()
]
VIEWS = {view.name: view for service in SERVICES for view in service.loaded().views}


def changes_of(view: View, line: bytes, offset: int) -> list[Any]:
    envelope, event = view.catalogue.read(line)
    if event is None:
        return []
    return [*view.changes(recorded_event(event, envelope, 0, offset))]


def statements_that_scan(db: Connection, view: View) -> set[str]:
    """Apply the golden log; return the statements whose plan reads a whole table, with that step of it."""
    connection: Any = db.connection.dbapi_connection
    traced: list[str] = []
    connection.set_trace_callback(traced.append)
    for offset, line in enumerate(GOLDEN):
        if changes := changes_of(view, line, offset):
            statements.run(db, [(decode_envelope(line).subject, changes)])
    connection.set_trace_callback(None)
    written = {sql for sql in traced if sql.startswith(("INSERT", "UPDATE", "DELETE"))}
    assert written
    return {
        f"{step}: {sql}"
        for sql in written
        for *_, step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
        if step.startswith("SCAN ") and step.split()[1].startswith(tuple(view.tables.tables))
    }


@pytest.mark.parametrize("name", VIEWS)
async def test_no_statement_of_a_handler_reads_a_whole_table(name: str, tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path)
    tables = await storage.live(VIEWS[name], "log/golden")
    try:
        assert await tables.write(lambda db: statements_that_scan(db, VIEWS[name])) == set()
    finally:
        await tables.close()
        await storage.close()
