"""The story of a shop, from an empty log to the second invoice: every answer, and a log that only grows."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from support.client import Client, Reply
from support.program import Program
from support.until import until

from bookshelf.cli.main import main

_TIME = re.compile(r"20\d\d-\d\d-\d\dT[0-9:.]+(Z|\+00:00)")
_NUMBER = re.compile(r"20\d\d-(\d{6})")
_WHOLE_LOG = ("--topic", "shop", "--from", "start", "--no-follow", "--json")
JSON = dict[str, Any]


def command(*args: str | Path) -> str:
    """Return what a command of the program prints, which ends well."""
    done = CliRunner().invoke(main, [*map(str, args)])
    assert done.exit_code == 0, done.output
    return done.output


def euros(amount: int) -> JSON:
    return {"amount": amount, "currency": "EUR"}


def wanted(quantity: int) -> JSON:
    return {"lines": [{"product": "p", "quantity": quantity, "price": euros(4500)}], "pay": "credit"}


def order(quantity: int, **fields: object) -> JSON:
    """Return the answer for an order that is final, or what differs from that."""
    line = {"product": "p", "quantity": quantity, "name": "Dune", "price": euros(4500), "answer": "reserved"}
    answers: JSON = {"state": "FINALIZED", "stock": "APPROVED", "payment": "APPROVED", "pay": "credit"}
    answers |= {"customer": "a-reader", "placed": "TIME", "deadline": "TIME"}
    answers |= {"total": euros(4500 * quantity), "lines": [line], "reasons": [], "stalled": ""}
    return {**answers, "shipped": None, "tracking": "", "address": None, "invoice": None, **fields}


class Story:
    """A shop with a manager and another client; ids and times of the answers are given names."""

    def __init__(self, up: Program) -> None:
        self.data = up.data
        self.manager, self.customer = up.client, up.client
        self.names: dict[str, str] = {}
        self.log: list[str] = []

    def named(self, text: str) -> str:
        for found, name in self.names.items():
            text = text.replace(found, name)
        return _NUMBER.sub(r"YEAR-\1", _TIME.sub("TIME", text))

    def asks(self, client: Client, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Send a request in which names stand for ids."""
        text = json.dumps({"path": path, "body": body})
        for found, name in self.names.items():
            text = re.sub(rf'(?<=["/]){name}(?=["/?])', found, text)
        sent = json.loads(text)
        if method == "GET":
            return client.get(sent["path"], **headers)
        reply = client.send(method, sent["path"], sent["body"], **headers)
        # each sees what the other has done
        self.manager.position = self.customer.position = client.position
        return reply

    def answered(self, reply: Reply, status: int, name: str = "") -> Any:  # noqa: ANN401 (JSON)
        """Return an answer of this status; its id gets the name."""
        assert reply.status == status, reply
        if not reply.content:
            return None
        if name:
            self.names[reply.json["id"]] = name
        return json.loads(self.named(reply.content.decode()))

    def look(self) -> list[str]:
        """Return what came into the log since the last look; all before it is unchanged, byte by byte."""
        lines = command("events", "tail", "--data", self.data, *_WHOLE_LOG).splitlines()
        assert lines[: len(self.log)] == self.log
        new, self.log = lines[len(self.log) :], lines
        events = [json.loads(line)["event"] for line in new]
        assert all(event["specversion"] == "1.0" and event["id"] for event in events)
        return sorted(self.named(f"{event['subject']} {event['type'].split('.')[1]}") for event in events)


def manage(story: Story) -> None:
    """The manager adds a product, and corrects its name, price and units."""
    manager = story.manager
    added = story.asks(manager, "POST", "/shop/categories", {"name": "Books"})
    assert story.answered(added, 201, "c") == {"id": "c", "name": "Books"}
    product = {"name": "Dun", "price": euros(4000), "vat_permille": 70, "units": 5, "category": "c"}
    details = {"name": "Dun", "category": "c", "vat_permille": 70}
    added = story.asks(manager, "POST", "/shop/products", product)
    assert story.answered(added, 201, "p") == {"id": "p", "details": details, "price": euros(4000)}
    changed = story.asks(manager, "PATCH", "/shop/products/p", {"name": "Dune", "price": euros(4500)})
    details["name"] = "Dune"
    assert story.answered(changed, 200) == {"id": "p", "details": details, "price": euros(4500)}
    more = story.asks(manager, "POST", "/shop/products/p/units", {"add": 2, "why": "found"})
    assert story.answered(more, 204) is None
    changes = ["p product-added", "p product-changed", "p product-repriced", "p units-added"]
    assert story.look() == ["c category-added", *changes]


def buy(story: Story) -> None:
    """Another client orders one; it is approved, bought, invoiced and shipped."""
    manager, customer = story.manager, story.customer
    once = {"Idempotency_Key": "first", "Prefer": "wait=10"}
    placed = story.asks(customer, "POST", "/shop/orders", wanted(1), **once)
    assert story.answered(placed, 201, "o-1") == {"id": "o-1", **order(1)}
    again = story.asks(customer, "POST", "/shop/orders", wanted(1), **once)
    assert (again.status, again.headers["idempotency-replayed"]) == (201, "true")
    shown = invoiced(story, "o-1")
    assert shown == {"id": "o-1", **order(1, invoice="YEAR-000001")}
    history = story.answered(story.asks(customer, "GET", "/shop/orders/o-1/history"), 200)
    steps = ["order-placed", "order-approved", "order-finalized"]
    assert [step["type"].split(".")[1] for step in history if "order-" in step["type"]] == steps
    shipped = story.asks(manager, "POST", "/shop/orders/o-1/shipped", {"tracking": "T-1"})
    assert story.answered(shipped, 200) == {"id": "o-1", **order(1, shipped="TIME", tracking="T-1")}
    log = [f"o-1 {step}" for step in ("invoice-written", "order-approved", "order-finalized", "order-placed")]
    log += [f"o-1 {step}" for step in ("order-shipped", "part-taken", "part-taken", "payment-answered")]
    log += ["a-reader credit-opened", "a-reader credit-reserved", "a-reader credit-taken"]
    log += ["o-1 stock-answered", "p stock-reserved", "p stock-taken"]
    assert [line for line in story.look() if "numbered" not in line] == sorted(log)


def invoiced(story: Story, name: str) -> JSON:
    """Return an order, once it has its invoice."""
    found: list[JSON] = []

    def asked() -> bool:
        found[:] = [story.answered(story.asks(story.customer, "GET", f"/shop/orders/{name}"), 200)]
        return found[0]["invoice"] is not None

    until(asked, f"{name} has an invoice")
    return found[0]


def need_more(story: Story) -> None:
    """The credit is too small for two; with more of it they are bought."""
    manager, customer = story.manager, story.customer
    credit = story.answered(story.asks(customer, "GET", "/shop/customers/me/credit"), 200)
    sums = {"balance": euros(5500), "reserved": euros(0), "available": euros(5500)}
    assert credit == {"customer": "a-reader", **sums}
    wait = {"Prefer": "wait=10"}
    placed = story.asks(customer, "POST", "/shop/orders", wanted(2), Idempotency_Key="second", **wait)
    reason: JSON = {"code": "insufficient-credit", "available": 5500, "needed": 9000}
    reason["detail"] = "90.00 is needed, 55.00 is available"
    canceled = order(2, state="CANCELED", payment="DENIED", reasons=[reason])
    assert story.answered(placed, 201, "o-2") == {"id": "o-2", **canceled}
    grant = {"amount": euros(5000), "why": "a good customer"}
    granted = story.asks(manager, "POST", "/shop/customers/a-reader/credit/grants", grant)
    sums |= {"balance": euros(10_500), "available": euros(10_500)}
    assert story.answered(granted, 200) == {"customer": "a-reader", **sums}
    placed = story.asks(customer, "POST", "/shop/orders", wanted(2), Idempotency_Key="third", **wait)
    assert story.answered(placed, 201, "o-3") == {"id": "o-3", **order(2)}
    assert invoiced(story, "o-3") == {"id": "o-3", **order(2, invoice="YEAR-000002")}
    log = story.look()
    assert {"o-2 order-canceled", "p stock-released", "a-reader credit-granted", "o-3 order-finalized"} <= {
        *log
    }


def account(story: Story) -> None:
    """The invoice has the lines as they were bought, and the revenue is that of both."""
    line = {"product": "p", "quantity": 2, "name": "Dune", "price": euros(4500), "vat_permille": 70}
    invoice: JSON = {"number": "YEAR-000002", "order": "o-3", "customer": "a-reader", "address": None}
    invoice |= {"seller": "Bookshelf", "seller_address": "", "lines": [line], "total": euros(9000)}
    invoice |= {"vat": [{"permille": 70, "gross": 9000, "vat": 589, "net": 8411}]}
    invoice |= {"ordered": "TIME", "finalized": "TIME"}
    listed = both(story, "/shop/invoices", lambda rows: len(rows) == 2)
    assert invoice in listed
    revenue = both(story, "/shop/revenue?by=year", lambda rows: sum(row["orders"] for row in rows) == 2)
    assert sum(year["gross"] for year in revenue) == 13_500


def both(story: Story, path: str, there: Callable[[list[JSON]], bool]) -> list[JSON]:
    """Return what the manager reads here, once the view has both invoices: they were written by a process."""
    found: list[list[JSON]] = []

    def asked() -> bool:
        found[:] = [story.answered(story.asks(story.manager, "GET", path), 200)]
        return there(found[0])

    until(asked, f"{path} has both invoices")
    return found[0]


def test_the_story_of_a_shop(tmp_path: Path) -> None:
    with Program(tmp_path / "data").ready() as up:
        story = Story(up)
        manage(story)
        buy(story)
        need_more(story)
        account(story)
        assert story.look() == []  # what is only read changes nothing
        assert up.stop().well
    assert "every law holds" in command("shop", "check", "--data", tmp_path / "data", "--at-rest")
