"""Places orders over HTTP: from many clients at once, or at a steady rate until each has ended."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import count

import msgspec

from bench.connection import ANSWER_S, HOST, LoadConnection, connect
from bench.measurement import BenchFault
from bench.shop.customers import CUSTOMERS, Customers

#: Products, and clients of HTTP.
PRODUCTS, CLIENTS = 500, 64
#: Orders a second while latencies are measured.
RATE = 20
_DATA = b"data: "


class Shoppers:
    """Customers that order at a port, of the gateway or the service; each order is of the next customer.

    `made` numbers the orders: keys of earlier ones must not repeat.
    """

    def __init__(self, customers: Customers, port: int, made: Iterator[int] | None = None) -> None:
        self._customers = customers
        self._port = port
        self._made = made or count()

    def _next(self, product: str | None, customer: str | None = None, **headers: str) -> tuple[str, bytes]:
        number = next(self._made)
        customer_id = customer or f"a-{number % CUSTOMERS}"
        what = product or f"p-{number % PRODUCTS}"
        return customer_id, self._customers.order(customer_id, what, f"order-{number}", **headers)

    async def rush(self, orders: int, product: str | None = None) -> float:
        """Place so many orders from all clients, of one product or of all in turn; return the seconds."""
        left, began = iter(range(orders)), time.perf_counter()

        async def client() -> None:
            async with connect(self._port) as own:
                for _ in left:
                    await own.ask(self._next(product)[1], 201)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(CLIENTS):
                tasks.create_task(client())
        return time.perf_counter() - began

    async def answers(
        self, seconds: float, status: str, product: str | None = None, customer: str | None = None
    ) -> list[float]:
        """Place orders at a steady rate, and return the seconds until each POST is answered with that end."""

        async def one(own: LoadConnection) -> None:
            _, asked = self._next(product, customer, Prefer="wait=30")
            found = msgspec.json.decode((await own.ask(asked, 201)).body)["state"]
            _expect(found, status)

        return await self._paced(seconds, one)

    async def streams(
        self, seconds: float, status: str, product: str | None = None, customer: str | None = None
    ) -> list[float]:
        """Do the same, with the seconds until the stream of events of each order has that end."""

        async def one(own: LoadConnection) -> None:
            customer_id, asked = self._next(product, customer)
            answer = await own.ask(asked, 201)
            order, position = msgspec.json.decode(answer.body)["id"], answer.header("Bookshelf-Position")
            target = f"/shop/orders/{order}/events"
            stream = self._customers.get(customer_id, target, Bookshelf_After=position or "")
            async with asyncio.timeout(ANSWER_S):
                _expect(await _ended(self._port, stream), status)

        return await self._paced(seconds, one)

    async def _paced(self, seconds: float, one: Callable[[LoadConnection], Awaitable[None]]) -> list[float]:
        taken_s: list[float] = []

        async def timed() -> None:
            sent = time.perf_counter()
            async with connect(self._port) as own:
                await one(own)
            taken_s.append(time.perf_counter() - sent)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for turn in range(max(1, round(seconds * RATE))):
                await asyncio.sleep(max(0.0, began + turn / RATE - time.perf_counter()))
                tasks.create_task(timed())
        return taken_s


def _expect(found: str, status: str) -> None:
    if found != status:
        msg = f"an order is {found}, not {status}"
        raise BenchFault(msg)


async def _ended(port: int, asked: bytes) -> str:
    """Return the state in which an order has ended, from its stream."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(asked)
        if b" 200 " not in (first := await reader.readline()):
            msg = f"the stream of an order was answered {first.decode(errors='replace').strip()}"
            raise BenchFault(msg)
        while line := await reader.readline():
            if line.startswith(_DATA):
                state: str = msgspec.json.decode(line[len(_DATA) :])["state"]
                if state in {"FINALIZED", "CANCELED"}:
                    return state
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
    msg = "the stream of an order ended before the order"
    raise BenchFault(msg)
