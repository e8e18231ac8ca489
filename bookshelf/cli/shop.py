"""`bookshelf shop`: checks the laws of the shop in its log and its rows, and its uploaded files."""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import click
import msgspec
from rich.console import Console
from rich.table import Table

from bookshelf.cli.admin import admin_client
from bookshelf.cli.command import MENDABLE, guarded, run, stop
from bookshelf.cli.log_reader import Range, asked_of, log_options, looked_through, watched
from bookshelf.cli.shop_files import UnusedFile, find_unused
from bookshelf.cli.shop_reading import Ends, ViewRows, ends_of, read_ledger, read_views
from bookshelf.config import Settings, read
from bookshelf.log.port import ReadOnlyLog
from bookshelf.log.sqlite.log import ReadOnlySqliteLog
from bookshelf.runtime.data_folder import running
from bookshelf.runtime.logs import configure
from bookshelf.services import SERVICES
from bookshelf.shop.check.laws import Counts, LawReport, Moment, ShopReport, check_laws, report
from bookshelf.shop.check.ledger import Ledger, Violation
from bookshelf.shop.check.rows import check_rows, counts_of_rows

#: How long a file stays that no product refers to: one may be about to.
_KEPT = timedelta(hours=24)
_FILES = tuple(service for service in SERVICES if service.name == "files")
_TOPIC = "shop"


@click.group()
def shop() -> None:
    """Check the laws of the shop, and its files."""
    configure("critical", "auto")


@shop.command()
@log_options
@click.option("--at-rest", is_flag=True, help="Everything must be at rest: nothing open, held or missing.")
@click.option("--files", is_flag=True, help="List the uploaded files that no product refers to, instead.")
@click.option("--remove", is_flag=True, help="With --files: delete those that are older than 24 hours.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def check(
    data: str | None, broker: str | None, *, at_rest: bool, files: bool, remove: bool, as_json: bool
) -> None:
    """Recount stock, credit, orders and invoices from the log and the rows.

    Exit code 2 if a law does not hold. The folder may be in use and is not changed.
    """
    if remove and not files:
        stop("--remove deletes files; give it with --files")
    if files and broker is not None:
        stop("--files looks into a data folder; name one with --data")
    if files:
        guarded(lambda: run(_check_files(read(os.environ, data=data), remove=remove, as_json=as_json)))
        return

    async def check_shop() -> None:
        found = await _check(data, broker, at_rest=at_rest)
        if as_json:
            click.echo(msgspec.json.encode(found))
        else:
            _show(found)
        if found.violations:
            sys.exit(MENDABLE)

    guarded(lambda: run(check_shop()))


async def _check(data: str | None, broker: str | None, *, at_rest: bool) -> ShopReport:
    on_kafka = asked_of(data, broker) is not None
    folder = read(os.environ, data=data).folder
    async with watched(data, broker, _TOPIC) as log:
        views = [] if on_kafka else list(read_views(folder))
        # after the rows: a record that they have is in the log
        ledger = await read_ledger(log, await _ends(log))
        in_use = on_kafka or running(folder) is not None
        now = datetime.now(UTC) if in_use else ledger.last
        check_laws(ledger, Moment(None if at_rest else now))
        if not views:
            return report(ledger)
        violations = [violation for view in views for violation in await _of_rows(log, view)]
    rows: dict[int, Counts] = dict(counts_of_rows({view.name: view.tables for view in views}))
    return report(ledger, rows, violations)


async def _ends(log: ReadOnlyLog) -> Ends:
    """Return the ends of all partitions; on the embedded log those of one moment."""
    if not isinstance(log, ReadOnlySqliteLog):
        return await ends_of(log)
    return {partition: end for (topic, partition), end in log.ends().items() if topic == _TOPIC}


async def _of_rows(log: ReadOnlyLog, view: ViewRows) -> Sequence[Violation]:
    ledger: Ledger = await read_ledger(log, view.ends)
    return list(check_rows(view.name, view.tables, ledger))


def _show(found: ShopReport) -> None:
    """Print a table for people, and then what does not hold."""
    out = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
    table = Table("law", "", "in the log", "in the rows", "")
    for law in found.laws:
        rows = "not read" if law.rows is None else _counted(law.rows)
        table.add_row(str(law.law), law.name, _counted(law.log), rows, _outcome(law))
    out.print(table)
    for law in found.laws:
        for text in law.described:
            out.print(f"law {law.law}: {text}", soft_wrap=True)
    for text in found.unreadable:
        out.print(f"unreadable: {text}", soft_wrap=True)
    for kind, number in found.unknown.items():
        text = f"not counted: {number} records of type {kind}, which this release does not know"
        out.print(text, soft_wrap=True)
    total = "every law holds" if not found.violations else f"{found.violations} violations"
    out.print(f"{found.records} records, {total}.")


def _counted(counts: Counts) -> str:
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def _outcome(law: LawReport) -> str:
    return f"{law.violations} violations" if law.violations else "holds"


async def _check_files(settings: Settings, *, remove: bool, as_json: bool) -> None:
    """List the files that no product refers to; with `remove`, delete the older ones by the HTTP API."""
    async with watched(str(settings.folder), None, _TOPIC) as log:
        where = Range(topic="files", whole=True, follow=False)
        records = [record async for record in looked_through(log, where, lambda: None)]
        # last: a file that is there by now may have come into use meanwhile
        ledger = await read_ledger(log, await _ends(log))
    unreadable = list(ledger.unreadable.values())
    if unreadable and remove:
        stop(f"nothing is removed, because a file may be in use by what cannot be read: {unreadable[0]}")
    unused = find_unused(records, {stock.image for stock in ledger.stocks.values()})
    old = [file for file in unused if file.stored < datetime.now(UTC) - _KEPT] if remove else []
    if old:
        async with admin_client(settings, only=_FILES) as client:
            for file in old:
                await client.send("DELETE", f"/bookshelf/files/{file.id}")
    if as_json:
        click.echo(
            msgspec.json.encode(
                {"unused": unused, "removed": [file.id for file in old], "unreadable": unreadable}
            )
        )
        return
    _show_files(unused, old)
    for text in unreadable:
        click.echo(f"unreadable, and may use one of them: {text}")


def _show_files(unused: Sequence[UnusedFile], removed: Sequence[UnusedFile]) -> None:
    for file in unused:
        gone = "  removed" if file in removed else ""
        click.echo(f"{file.id}  {file.stored:%Y-%m-%d %H:%M}  {file.bytes:,} bytes{gone}")
    click.echo(f"{len(unused)} files that no product refers to, {len(removed)} removed.")
