"""The services of the shop in this process, over one log; commands are asked of their owners."""

import asyncio
from collections import Counter
from datetime import datetime
from functools import partial
from typing import Any, Self

import msgspec
from sqlalchemy import Table, select
from support.counter_context import everything
from support.shelf import DEADLINE_S, JSON, Answered, Shelf

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.envelope import decode_envelope
from bookshelf.cqrs.handler import LOCAL, Caller, HandlerPorts
from bookshelf.cqrs.message import Command
from bookshelf.http.message import Response, request
from bookshelf.keyring.keyring import Keyring
from bookshelf.keyring.memory import MemoryKeyTable
from bookshelf.log.memory import MemoryLog
from bookshelf.log.port import Log, Record
from bookshelf.runtime.api.identity import Callers, LocalReader
from bookshelf.runtime.sealing import Seals
from bookshelf.services import SERVICES
from bookshelf.shop.events import TOPIC
from bookshelf.shop.handlers.shop_services import with_shop
from bookshelf.shop.invoicing import Seller
from bookshelf.shop.money import Money
from bookshelf.shop.order import ORDER, Order
from bookshelf.shop.order_commands import PlaceOrder
from bookshelf.shop.order_events import Terms
from bookshelf.shop.parts import shop_parts
from bookshelf.shop.product import PRODUCT, AddProduct
from bookshelf.shop.sandbox import CardSandbox
from bookshelf.shop.values import OrderLine, ProductDetails
from bookshelf.shop.welcome import LOCAL_READER
from bookshelf.storage.port import Storage

#: Numbers of cards that pay, that are declined, and whose payment is declined after they were accepted; one
#: that gets no answer.
GOOD, BAD, LATE = "4242424242424242", "4000000000000002", "4000000000000341"
SILENT = "4000000000000119"
PRICE = Money(1500, "EUR")
#: The services of the shop, pages and pictures apart.
SHOP = tuple(service for service in SERVICES if service.name in shop_parts(Seller("Bookshelf")))


class ForgetfulLog(MemoryLog):
    """A log that can lose all consumed offsets."""

    forgets = False

    async def consumed(self, name: str, topic: str, partition: int) -> int:
        """Return the offset that a reader goes on from."""
        return 0 if self.forgets else await super().consumed(name, topic, partition)


class Shop:
    """One instance of each service. `p-1` has 3 units."""

    def __init__(
        self,
        log: Log | None = None,
        callers: Callers | None = None,
        seals: Seals | None = None,
        storage: Storage | None = None,
        *,
        currency: str = "EUR",
        local_reader: str = LOCAL_READER,
    ) -> None:
        self.log: Log = log or ForgetfulLog(2)
        self.callers = callers or LocalReader()
        self.seals = seals or Seals(Keyring(MemoryKeyTable(), b"secret of 16 bytes", self._now))
        seller = Seller("Bookshelf", "1 Shelf Street", "Europe/Berlin")
        services = [
            with_shop(service, seller, currency, provider=self._provider, local_reader=local_reader)
            for service in SHOP
        ]
        self._shelf = Shelf(
            log=self.log, storage=storage, services=services, callers=self.callers, seals=self.seals
        )
        self.clock = self._shelf.clock
        self.sandbox = CardSandbox(b"secret", self.clock.now)

    def _now(self) -> datetime:
        return self.clock.now()

    async def _provider(self, _ports: HandlerPorts) -> CardSandbox:
        return self.sandbox

    @property
    def services(self) -> Shelf:
        """The services, for clients of their API."""
        return self._shelf

    async def caught_up(self) -> None:
        """Wait until the views have what is in the log."""
        await self._shelf.caught_up()

    async def __aenter__(self) -> Self:
        await self._shelf.__aenter__()
        return self

    async def __aexit__(self, *fault: object) -> None:
        await self._shelf.__aexit__(*fault)

    def _ports(self, aggregate: Aggregate[Any]) -> HandlerPorts:
        [host] = [host for host in self._shelf.hosts.values() if aggregate.name in host.aggregates]
        return host._ports  # noqa: SLF001 (what its handlers get)

    async def ask(self, aggregate: Aggregate[Any], subject: str, command: Command) -> CommandResult:
        """Have a command carried out."""
        return await self._ports(aggregate).ask(aggregate, subject, command)

    async def state(self, aggregate: Aggregate[Any], subject: str, **expected: object) -> Any:  # noqa: ANN401 (its)
        """Return a state, once it has these values."""

        def as_expected(state: object) -> bool:
            return all(getattr(state, name) == value for name, value in expected.items())

        state = await self._ports(aggregate).state(aggregate, subject, as_expected, DEADLINE_S)
        assert as_expected(state), state
        return state

    async def get(self, service: str, target: str, by: Caller = LOCAL) -> Answered:
        """Return the answer of a service to a query, once its views have what is in the log."""
        await self._shelf.caught_up()
        return await self.send(service, "GET", target, by=by)

    async def send(
        self,
        service: str,
        method: str,
        target: str,
        body: object = None,
        by: Caller = LOCAL,
        **headers: str,
    ) -> Answered:
        """Return the answer of a service to a request of a caller."""
        return Answered(await self.respond(service, method, target, body, by, **headers))

    async def respond(
        self,
        service: str,
        method: str,
        target: str,
        body: object = None,
        by: Caller = LOCAL,
        **headers: str,
    ) -> Response:
        """Return the response, whose body is unread if it is a stream."""
        content = b"" if body is None else msgspec.json.encode(body)
        async with asyncio.timeout(DEADLINE_S):
            made = request(method, target, content, Content_Type=JSON, **headers)
            self.callers.sign(by, made)
            return await self._shelf.hosts[service].api.handle(made)

    async def stock(self) -> None:
        """Add a product."""
        details = ProductDetails(name="Dune", vat_permille=70)
        await self.ask(PRODUCT, "p-1", AddProduct(details=details, price=PRICE, units=3))

    async def place(self, order: str, quantity: int = 1, card: str = "", product: str = "p-1") -> None:
        """Place an order of the local reader out of the cart, paid on credit or with a card."""
        terms = Terms(customer=LOCAL_READER, cart=True)
        if card:
            token = self.sandbox.tokenize(card, "12/30", "123")
            terms = Terms(customer=LOCAL_READER, pay="card", card=token.token, cart=True)
        lines = (OrderLine(product, quantity, PRICE),)
        await self.ask(ORDER, order, PlaceOrder(terms=terms, lines=lines, at=self.clock.now()))

    async def ended(self, order: str, status: str) -> Order:
        """Return an order, once it has this status."""
        state = await self.state(ORDER, order, status=status)
        assert isinstance(state, Order)
        return state

    async def records(self) -> list[Record]:
        """Return the records of the topic."""
        return await everything(self.log, TOPIC)

    async def all_records(self) -> list[Record]:
        """Return the records of the topic and of those of its commands."""
        aggregates = [name for host in self._shelf.hosts.values() for name in host.aggregates]
        topics = [TOPIC, *(f"{name}.commands" for name in aggregates)]
        return [record for topic in topics for record in await everything(self.log, topic)]

    async def rows(self) -> str:
        """Return the texts of all rows of all views."""
        await self._shelf.caught_up()
        hosts = [view for host in self._shelf.hosts.values() for view in host.views.values()]
        tables = [(host, table) for host in hosts for table in host.view.tables.tables.values()]
        return "".join([str(await host.query(partial(_all_of, table))) for host, table in tables])

    async def events(self) -> Counter[tuple[str, str]]:
        """Return how often the log has each type of event for each key."""
        records = await self.records()
        return Counter((record.key, decode_envelope(record.value).type) for record in records)


def _all_of(table: Table, db: Any) -> list[Any]:  # noqa: ANN401 (the storage's connection, rows)
    return list(db.execute(select(table)))
