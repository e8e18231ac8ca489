"""`bookshelf demo`: fills a new data folder with a made-up system to look at."""

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import track

from bookshelf.cli.command import guarded, run, stop
from bookshelf.cli.demo_people import ADMINISTRATOR, StoryClock, register, send_as
from bookshelf.cli.demo_photos import photos
from bookshelf.cli.embedded import Embedded, embedded
from bookshelf.config import Settings, read
from bookshelf.cqrs.handler import Caller
from bookshelf.runtime.data_folder import running
from bookshelf.runtime.logs import configure
from bookshelf.services import chosen
from bookshelf.shop.demo import (
    VAT_PERMILLE,
    Delivery,
    DemoBook,
    DemoPerson,
    DemoStep,
    NewPrice,
    Purchase,
    Refill,
    demo_books,
    demo_people,
    demo_year,
)
from bookshelf.shop.events import TOPIC

_MANAGER = DemoPerson("manager", "Maud Ellery", "")
#: The scopes that the steps of the story need.
_BUYS, _MANAGES = frozenset({"shop:buy"}), frozenset({"shop:buy", "shop:manage"})
#: Seconds that an order may take to come to rest.
_WAIT_S = 10
_YEAR = timedelta(days=365)
#: Time between two steps that have none of their own.
_MOMENT = timedelta(minutes=1)


class DemoShop:
    """Plays the story in a running shop, each step as a request of the person that does it."""

    def __init__(self, shelf: Embedded, clock: StoryClock) -> None:
        self._shelf = shelf
        self._clock = clock
        self._products: list[str] = []
        self._prices: list[int] = []
        self._people: list[str] = []
        self._manager = ADMINISTRATOR
        self._orders = 0

    async def _send(
        self, caller: Caller, method: str, target: str, body: object = None, **headers: str
    ) -> Mapping[str, Any]:
        return await send_as(self._shelf, caller, method, target, body, **headers)

    def _later(self, when: datetime | None = None) -> None:
        self._clock.set(self._clock.now() + _MOMENT if when is None else when)

    async def open(self, books: Sequence[DemoBook]) -> str:
        """Open the shop with its manager and its books. Return the manager's password."""
        account, password = await self._register(_MANAGER, "manager")
        self._manager = Caller(actor=account, account=account, owner=account, scopes=_MANAGES)
        categories: dict[str, str] = {}
        for book in books:
            self._later()
            if book.category not in categories:
                made = await self._send(self._manager, "POST", "/shop/categories", {"name": book.category})
                categories[book.category] = made["id"]
            await self._add(book, categories[book.category])
        return password

    async def _add(self, book: DemoBook, category: str) -> None:
        body = {
            "name": book.title,
            "description": book.description,
            "supplier": book.publisher,
            "category": category,
            "price": _euros(book.price),
            "vat_permille": VAT_PERMILLE,
            "units": book.units,
            "attributes": {"author": book.author, "published": book.published, "pages": book.pages},
        }
        made = await self._send(self._manager, "POST", "/shop/products", body)
        self._products.append(made["id"])
        self._prices.append(book.price)

    async def register(self, person: DemoPerson) -> str:
        """Open a customer's account. Return its password."""
        self._later()
        account, password = await self._register(person)
        self._people.append(account)
        return password

    async def _register(self, person: DemoPerson, *groups: str) -> tuple[str, str]:
        return await register(self._shelf, person.handle, person.name, *groups)

    async def play(self, steps: Iterable[DemoStep]) -> None:
        """Do what happens, each thing at its time; parcels leave at theirs."""
        parcels: list[tuple[datetime, str, str]] = []
        for step in steps:
            while parcels and parcels[0][0] <= step.when:
                await self._ship(*heappop(parcels))
            self._later(step.when)
            match step:
                case Purchase():
                    order = await self._buy(step)
                    if step.shipped is not None:
                        heappush(parcels, (step.shipped, order["id"], order["state"]))
                case Delivery():
                    more = {"add": step.units, "why": "delivery of the publisher"}
                    await self._send(
                        self._manager, "POST", f"/shop/products/{self._products[step.book]}/units", more
                    )
                case Refill():
                    grant = {"amount": _euros(step.amount), "why": "gift card"}
                    target = f"/shop/customers/{self._people[step.person]}/credit/grants"
                    await self._send(self._manager, "POST", target, grant)
                case NewPrice():
                    self._prices[step.book] = step.price
                    target = f"/shop/products/{self._products[step.book]}"
                    await self._send(self._manager, "PATCH", target, {"price": _euros(step.price)})
        for parcel in sorted(parcels):
            await self._ship(*parcel)

    async def _ship(self, when: datetime, order_id: str, state: str) -> None:
        """Send what was bought on its way; cancel an order that has stalled."""
        self._later(when)
        order = f"/shop/orders/{order_id}"
        if state == "FINALIZED":
            await self._send(
                self._manager, "POST", f"{order}/shipped", {"tracking": f"BS{when:%m%d%H%M%S}DE"}
            )
        elif state == "APPROVED":
            await self._send(self._manager, "POST", f"{order}/cancel")

    async def _buy(self, step: Purchase) -> Mapping[str, Any]:
        self._orders += 1
        account = self._people[step.person]
        customer = Caller(actor=account, account=account, owner=account, scopes=_BUYS)
        body: dict[str, Any] = {
            "lines": [
                {
                    "product": self._products[book],
                    "quantity": quantity,
                    "price": _euros(self._prices[book]),
                }
                for book, quantity in step.lines
            ],
            "pay": "credit",
            "address": step.address,
        }
        if step.card:
            card = {"number": step.card, "holder": step.name, "expiry": "12/49", "cvc": "123"}
            token = await self._send(customer, "POST", "/shop/cards", card)
            body["pay"] = {"card": token["token"]}
        wait = {"Prefer": f"wait={_WAIT_S}", "Idempotency_Key": f"demo-{self._orders}"}
        return await self._send(customer, "POST", "/shop/orders", body, **wait)


def _euros(cents: int) -> dict[str, Any]:
    return {"amount": cents, "currency": "EUR"}


@click.group()
def demo() -> None:
    """Fill a new data folder with a made-up system to look at."""
    configure("critical", "auto")


demo.add_command(photos)


@demo.command()
@click.option("--data", metavar="DIR", required=True, help="The folder to fill; it must not have a shop yet.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same shop.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def shop(data: str, seed: int, *, as_json: bool) -> None:
    """Make a bookshop with 60 books, 12 customers and the orders of a year."""
    guarded(lambda: run(_make_shop(read(os.environ, data=data), seed, as_json=as_json)))


async def _make_shop(settings: Settings, seed: int, *, as_json: bool) -> None:
    if running(settings.folder) is not None:
        stop(f"a shelf runs on {settings.folder}; stop it first, or name a new folder with --data")
    end = datetime.now(UTC)
    clock = StoryClock(end - _YEAR - timedelta(days=5))
    books, people = demo_books(), demo_people()
    steps = demo_year(books, people, end, seed)
    async with embedded(settings.private(accounts=True), chosen(("accounts", "shop")), clock=clock) as shelf:
        if any([await shelf.log.end(TOPIC, n) for n in range(shelf.log.partitions(TOPIC))]):
            stop(f"there is a shop in {settings.folder} already; name a new folder with --data")
        story = DemoShop(shelf, clock)
        manager = await story.open(books)
        passwords = [await story.register(person) for person in people]
        await story.play(_shown(steps, quiet=as_json))
        clock.set(end)
    result = {
        "data": str(settings.folder),
        "manager": {"login": _MANAGER.handle, "password": manager},
        "customer": {"login": people[0].handle, "password": passwords[0]},
    }
    if as_json:
        click.echo(msgspec.json.encode(result))
        return
    click.echo(
        f"A bookshop of {len(books)} books, {len(people)} customers and a year is in {settings.folder}."
    )
    click.echo(f"Manager:  {_MANAGER.handle}  {manager}")
    click.echo(f"Customer: {people[0].handle}  {passwords[0]}")
    click.echo(f"Start it: BOOKSHELF_ACCOUNTS=on bookshelf up --data {shlex.quote(str(settings.folder))}")
    click.echo("Then look at /shop and /manage.")


def _shown(steps: Sequence[DemoStep], *, quiet: bool) -> Iterable[DemoStep]:
    console = Console(stderr=True, quiet=quiet)
    return track(steps, "A year of the bookshop", console=console, transient=True)
