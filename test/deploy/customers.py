"""Customers that order again and again while parts are killed and replaced, and what must then be true."""

from collections import Counter
from typing import Any

from support.background_readers import BackgroundReaders
from support.client import Client
from support.until import until

#: So many that no order is refused for want of units; at a cent each the credit of the local reader lasts.
UNITS = 9000
_PREFIX = "/bookshelf"


def product(url: str, name: str) -> str:
    """Put a product on sale; return its id, once it is shown. A shop that begins gets time to answer."""
    client = Client(url, _PREFIX)
    body = {"name": name, "price": {"amount": 1, "currency": "EUR"}, "vat_permille": 70, "units": UNITS}
    added: list[str] = []
    answers: Counter[str] = Counter()

    def is_added() -> bool:
        reply = client.ask("POST", "/shop/products", body, Idempotency_Key=name)
        answers[f"{reply.status} {reply.content[:300]!r}"] += 1
        added.extend([reply.json["id"]] if reply.status == 201 else [])
        return bool(added)

    until(is_added, f"{name} is on sale", 300, instead=lambda: answers.most_common(8))
    until(lambda: shown(url, f"/shop/products/{added[0]}"), f"{name} is shown", 180)
    return added[0]


def shown(url: str, path: str) -> Any:  # noqa: ANN401 (JSON)
    """Return what a query answers; None if it is not answered, or with an error."""
    try:
        reply = Client(url, _PREFIX).ask("GET", path)
    except OSError:
        return None
    return reply.json if reply.status == 200 else None


class BackgroundCustomers(BackgroundReaders):
    """Writers that order one unit of a product; the keys of their commands are as those of books."""

    path = "/shop/orders"

    def __init__(self, url: str, name: str, bought: str) -> None:
        super().__init__(url, name, 2)
        self.bought = bought

    def body(self, title: str) -> object:
        """Return an order."""
        assert title
        return {"lines": [{"product": self.bought, "quantity": 1}], "pay": "credit"}


def finalized(url: str, orders: list[str]) -> list[str]:
    """Wait until all orders have ended; return those that are final.

    The others may only be those that a part, killed or slow, has not answered within the deadline.
    Raises AssertionError.
    """
    ended: dict[str, tuple[str, list[str]]] = {}

    def have_ended() -> bool:
        for one in orders:
            found = shown(url, f"/shop/orders/{one}") if one not in ended else None
            if found is not None and found["state"] in {"FINALIZED", "CANCELED"}:
                ended[one] = found["state"], [reason["code"] for reason in found["reasons"]]
        return len(ended) == len(orders)

    until(have_ended, "all orders have ended", 300)
    outcomes = set(map(repr, ended.values()))
    assert outcomes <= {repr(("FINALIZED", [])), repr(("CANCELED", ["timeout"]))}
    return [one for one, (state, _) in ended.items() if state == "FINALIZED"]


def kept(url: str, product_id: str, sold: int) -> bool:
    """Return True if the stock is what is left after so many orders of one unit, with nothing reserved."""
    found = shown(url, f"/shop/products/{product_id}") or {}
    return (found.get("units"), found.get("reserved")) == (UNITS - sold, 0)
