"""docs/shop.md: its commands make a first order as they stand there; its tables agree with the program."""

import re
import subprocess
from pathlib import Path

import msgspec
import pytest
from support.process import ROOT
from support.program import Program
from support.until import until

from bookshelf.shop.sandbox import TEST_CARDS

PAGE = (ROOT / "docs" / "shop.md").read_text(encoding="utf-8")
pytestmark = pytest.mark.needs("curl")


def test_the_commands_of_the_page_make_an_order(running: Program, tmp_path: Path) -> None:
    [block] = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    client = running.client
    text = block.replace("http://localhost:8000", running.note.url)
    order_alone = "".join(text.splitlines(keepends=True)[:3])
    shell = ["sh", "-euc", order_alone]
    run = subprocess.run(shell, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    order = msgspec.json.decode(run.stdout)
    assert (order["state"], order["address"]) == ("FINALIZED", "7 Shelf Lane")
    until(lambda: client.get("/shop/revenue?by=year").json, "the invoice is written")
    credit = "/shop/customers/me/credit"
    until(lambda: client.get(credit).json["available"]["amount"] == 7500, "the credit is taken")
    shell = ["sh", "-euc", text.replace("\ncurl", "\necho; curl")]
    run = subprocess.run(shell, cwd=tmp_path, check=True, capture_output=True, timeout=60)
    again, credit, invoices, revenue = map(msgspec.json.decode, run.stdout.splitlines()[1:])
    assert again["id"] == order["id"]
    assert credit["available"]["amount"] == 7500
    assert [invoice["order"] for invoice in invoices] == [order["id"]]
    assert [year["gross"] for year in revenue] == [2500]


def test_the_page_has_every_test_card() -> None:
    digits = re.sub(r"[^0-9,|]", "", PAGE.partition("| number |")[2].partition("\n\n")[0])
    assert set(re.findall(r"[0-9]{15,16}", digits)) == TEST_CARDS.keys()


def test_every_request_of_the_page_is_there() -> None:
    from support.service_of import LOCAL_APIS  # noqa: PLC0415 (loads the routes)

    routes = {(route.method, route.path) for service in LOCAL_APIS for route in service.serves}
    named = re.findall(r"(GET|POST) (/shop/[\w{}/-]+)", PAGE)
    assert named
    assert [one for one in named if one not in routes] == []
