"""`bookshelf shop check` on the data folder of a shop: the log, the rows, and the uploaded files."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support.logfile import append, event
from support.shop import GOOD, Shop

from bookshelf.cli.main import main
from bookshelf.log.sqlite.log import SqliteLog
from bookshelf.shop.events import TOPIC
from bookshelf.shop.invoice import INVOICE
from bookshelf.storage.sqlite import SqliteStorage

PICTURE = "ab" * 32


async def fill(folder: Path) -> None:
    """Two orders that are final, and one that is canceled."""
    log, storage = await SqliteLog.open(folder / "log.sqlite"), SqliteStorage(folder / "views")
    async with Shop(log, storage=storage) as shop:
        await shop.stock()
        for number, card in enumerate(("", GOOD), start=1):
            await shop.place(f"o-{number}", 1, card)
            await shop.state(INVOICE, f"o-{number}", number=f"2026-{number:06}")
        await shop.place("o-3", 9)
        await shop.ended("o-3", "CANCELED")
        assert (await shop.get("accounting", "/shop/invoices")).headers["Bookshelf-Count"] == "2"
        # of two units in the cart an order has taken one
        line = {"quantity": 2}
        assert (await shop.send("orders", "PUT", "/shop/cart/lines/p-1", line)).status == 200
        await shop.get("orders", "/shop/cart")
        await shop.get("orders", "/shop/orders/o-1")
    await log.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop") / "data"
    folder.mkdir()
    asyncio.run(fill(folder))
    return folder


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return shutil.copytree(filled, tmp_path / "data")


def check(folder: Path, *args: str) -> Result:
    return CliRunner().invoke(main, ["shop", "check", "--data", str(folder), *args])


def checked(folder: Path, *args: str) -> Any:  # noqa: ANN401 (JSON)
    return json.loads(check(folder, "--json", *args).output)


def broken(found: Any) -> set[int]:  # noqa: ANN401 (JSON)
    return {law["law"] for law in found["laws"] if law["violations"]}


def change(folder: Path, view: str, statement: str) -> None:
    """Change the rows of a view."""
    file = folder / "views" / view / (folder / "views" / view / "live").read_text()
    with closing(sqlite3.connect(file)) as db, db:
        assert db.execute(statement).rowcount == 1


def test_a_shop_is_counted_in_its_log_and_in_its_rows(filled: Path) -> None:
    result = check(filled, "--json", "--at-rest")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert (found["violations"], found["unreadable"]) == (0, [])
    laws = {law["law"]: law for law in found["laws"]}
    assert laws[1]["log"] == {"products": 1, "units": 1, "held": 0, "sold": 2}
    assert laws[1]["rows"] == {"products": 1, "units": 1, "held": 0}
    assert laws[3]["rows"] == {"balance": 8500, "invoiced": 3000}
    assert laws[9]["rows"]["lines of carts"] == laws[9]["log"]["lines of carts"] == 1
    assert found["unknown"] == {}
    assert laws[4]["log"] == laws[4]["rows"] == {"final": 2, "invoices": 2}


def test_people_get_a_table_and_one_line(filled: Path) -> None:
    result = check(filled)
    assert result.exit_code == 0
    assert result.output.splitlines()[-1].endswith("records, every law holds.")
    assert "2 invoices" in result.output


@pytest.mark.parametrize(
    ("law", "view", "statement"),
    [
        (1, "catalogue", "UPDATE catalogue_product SET held = 2"),
        (1, "carts", "UPDATE carts_product SET units = units + 1"),
        (9, "carts", "UPDATE carts_line SET quantity = 3"),
        (9, "carts", "DELETE FROM carts_line"),
        (2, "customers", "UPDATE customers_credit SET balance = balance + 1"),
        (2, "customers", "DELETE FROM customers_entry WHERE type = 'shop.credit-taken.v1'"),
        (3, "invoices", "UPDATE invoices_line SET gross = gross + 1 WHERE \"order\" = 'o-1'"),
        (4, "invoices", "DELETE FROM invoices_invoice WHERE \"order\" = 'o-2'"),
        (5, "invoices", "UPDATE invoices_invoice SET number = '2026-000001' WHERE \"order\" = 'o-2'"),
        (6, "orders", "UPDATE orders_order SET status = 'PENDING' WHERE id = 'o-1'"),
        (7, "orders", "DELETE FROM orders_event WHERE subject = 'o-3' AND type = 'shop.order-canceled.v1'"),
        (12, "invoices", "UPDATE invoices_invoice SET vat = vat + 1 WHERE \"order\" = 'o-1'"),
    ],
)
def test_a_forged_row_is_found(folder: Path, law: int, view: str, statement: str) -> None:
    change(folder, view, statement)
    result = check(folder)
    assert result.exit_code == 2
    assert f"law {law}: " in result.output
    assert law in broken(checked(folder))


def test_a_forged_record_is_found_and_the_rows_are_not_blamed(folder: Path) -> None:
    append(folder, "p-1", event("shop.stock-taken.v1", "p-1", {"order": "o-1", "quantity": 5}), TOPIC)
    found = checked(folder)
    assert broken(found) == {1}
    assert check(folder).exit_code == 2


def test_records_of_unknown_types_are_named(folder: Path) -> None:
    for _ in range(2):
        append(folder, "p-1", event("shop.product-praised.v1", "p-1", {"stars": 5}), TOPIC)
    assert checked(folder)["unknown"] == {"shop.product-praised.v1": 2}
    result = check(folder)
    assert result.exit_code == 0
    assert "not counted: 2 records of type shop.product-praised.v1" in result.output


def test_files_that_no_product_has_are_listed_and_the_old_ones_removed(folder: Path) -> None:
    stored = {"type": "image/webp", "bytes": 9, "width": 1, "height": 1}
    append(folder, PICTURE, event("files.file-stored.v1", PICTURE, stored), "files")
    listed = checked(folder, "--files")
    assert [file["id"] for file in listed["unused"]] == [PICTURE]
    assert listed["removed"] == []
    assert f"{PICTURE}  2024-01-01 00:00  9 bytes" in check(folder, "--files").output
    assert checked(folder, "--files", "--remove")["removed"] == [PICTURE]
    assert checked(folder, "--files")["unused"] == []


def test_a_file_of_a_product_is_kept(folder: Path) -> None:
    stored = {"type": "image/webp", "bytes": 9, "width": 1, "height": 1}
    append(folder, PICTURE, event("files.file-stored.v1", PICTURE, stored), "files")
    details = {"name": "Dune", "image": PICTURE}
    append(folder, "p-1", event("shop.product-changed.v1", "p-1", {"details": details}), TOPIC)
    assert checked(folder, "--files")["unused"] == []


def test_no_file_is_removed_if_a_record_cannot_be_read(folder: Path) -> None:
    stored = {"type": "image/webp", "bytes": 9, "width": 1, "height": 1}
    append(folder, PICTURE, event("files.file-stored.v1", PICTURE, stored), "files")
    broken_record = event("shop.product-changed.v1", "p-1", {"details": {"name": 1, "image": PICTURE}})
    append(folder, "p-1", broken_record, TOPIC)
    refused = check(folder, "--files", "--remove")
    assert refused.exit_code
    assert "nothing is removed" in refused.output
    listed = checked(folder, "--files")
    assert [file["id"] for file in listed["unused"]] == [PICTURE]  # it is still there
    assert "p-1" in listed["unreadable"][0]
    assert "unreadable" in check(folder, "--files").output


def test_what_cannot_be_checked_is_named(folder: Path, tmp_path: Path) -> None:
    assert "there is no log" in check(tmp_path / "none").output
    assert "--files" in check(folder, "--remove").output
