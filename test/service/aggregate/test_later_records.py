"""A large state that changes often is stored by its latest records, and is the same after any load."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random

import msgspec
import pytest
from support.fixed_infrastructure import NOW

from bookshelf.cqrs.envelope import Envelope, encode_envelope
from bookshelf.cqrs.message import Event
from bookshelf.log.port import Record
from bookshelf.runtime.aggregate.disposable_file import Unsaved
from bookshelf.runtime.aggregate.later_records import LARGE, RECORDS_MOST
from bookshelf.runtime.aggregate.replay import PendingEvents
from bookshelf.runtime.aggregate.snapshot import AggregateSnapshot, SnapshotFold
from bookshelf.runtime.aggregate.state_cache import StateCache
from bookshelf.runtime.aggregate.state_store import (
    NO_COMMANDS,
    NO_ENTRIES,
    IndexEntries,
    MemoryStateStore,
    Spilled,
    SqliteStateStore,
    StateStore,
    Values,
)
from bookshelf.shop.events import StockReserved, StockTaken, UnitsAdded
from bookshelf.shop.money import Money
from bookshelf.shop.stock import STOCK

PRICE = Money(100, "EUR")
PRODUCTS = [f"p-{number}" for number in range(6)]
HOLDS = 150


def records(random: Random, most: int) -> Iterator[Record]:
    """Yield records of products that have many holds, some of which are taken; some cannot be read."""
    held: dict[str, list[str]] = {product: [] for product in PRODUCTS}
    for offset in range(most):
        product, order = random.choice(PRODUCTS), f"o-{offset:036}"
        event: Event = UnitsAdded(units=1)
        if len(held[product]) > HOLDS and random.random() < 0.6:
            event = StockTaken(order=held[product].pop(0), quantity=1)
        elif random.random() < 0.95:
            held[product].append(order)
            event = StockReserved(order=order, quantity=1, price=PRICE, name="A thing", vat_permille=70)
        yield record(product, event, offset) if random.random() < 0.99 else unreadable(product, offset)


def record(product: str, event: Event, offset: int) -> Record:
    """Return a record as the owner of the stock appends it; every second one is of a client's command."""
    envelope = Envelope(
        specversion="1.0",
        datacontenttype="application/json",
        id=str(offset),
        source="stock",
        type=event.TYPE,
        subject=product,
        time=NOW,
        data=msgspec.Raw(msgspec.json.encode(event)),
        actor="reader",
        correlationid=product,
        origin=f"ordering:shop/0@{offset}" if offset % 2 else "",
        commandid="" if offset % 2 else f"command-{offset}",
    )
    return Record("shop", 0, offset, product, encode_envelope(envelope))


def unreadable(product: str, offset: int) -> Record:
    return Record("shop", 0, offset, product, b"no event")


def folded(appended: Iterable[Record]) -> dict[str, AggregateSnapshot[object]]:
    """Return what the fold makes of all records, without a store."""
    fold = SnapshotFold(STOCK)
    found = dict.fromkeys(PRODUCTS, fold.empty)
    for one in appended:
        found[one.key], _ = fold.apply(found[one.key], one)
    return found


class WeighedStore(MemoryStateStore):
    """A store that weighs what is saved, and refuses it while `full`."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0
        self.full = False

    def save(
        self,
        values: Values,
        offset: int,
        entries: IndexEntries = NO_ENTRIES,
        mark: str = "",
        spilled: Spilled = NO_COMMANDS,
    ) -> None:
        if self.full:
            raise Unsaved("the disk is full")
        for value in values.values():
            self.bytes += len(value) if isinstance(value, bytes) else sum(len(one.value) for one in value)
        super().save(values, offset, entries, mark, spilled)


async def opened(store: StateStore, capacity: int) -> tuple[StateCache, PendingEvents]:
    states = StateCache(STOCK, store, None, capacity)
    await states.open("a log")
    return states, PendingEvents(SnapshotFold(STOCK), states)


async def fold_in(states: StateCache, pending: PendingEvents, some: Iterable[Record]) -> None:
    for one in some:
        await states.load([one.key])
        pending.read_back(one)


async def stored(store: StateStore) -> dict[str, AggregateSnapshot[object]]:
    """Return the stored snapshots as another start has them."""
    states, _ = await opened(store, len(PRODUCTS))
    await states.load(PRODUCTS)
    return {product: states.get(product) for product in PRODUCTS}


def without_commands(snapshot: AggregateSnapshot[object]) -> AggregateSnapshot[object]:
    """Return a snapshot without its completed commands: those that left it are in the store."""
    return msgspec.structs.replace(snapshot, done=snapshot.done[-8:], spilled=False)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("capacity", [2, 20])
async def test_states_are_those_of_the_log_after_any_flushes_evictions_failures_and_starts(
    seed: int, capacity: int, tmp_path: Path
) -> None:
    random = Random(seed)  # noqa: S311 (no secret)
    appended = list(records(random, 3000))
    store = SqliteStateStore(tmp_path / "stock.sqlite")
    states, pending = await opened(store, capacity)
    begin = 0
    while begin < len(appended):
        end = begin + random.randint(1, 60)
        await fold_in(states, pending, appended[begin:end])
        begin = min(end, len(appended))
        await states.flush(begin)
        if random.random() < 0.1:
            await states.close()
            store = SqliteStateStore(tmp_path / "stock.sqlite")
            states, pending = await opened(store, capacity)
    await states.close()
    again = await stored(SqliteStateStore(tmp_path / "stock.sqlite"))
    whole = folded(appended)
    assert {product: without_commands(found) for product, found in again.items()} == {
        product: without_commands(found) for product, found in whole.items()
    }


@pytest.mark.parametrize("seed", range(4))
async def test_a_flush_that_failed_loses_no_record(seed: int) -> None:
    random, store = Random(seed), WeighedStore()  # noqa: S311 (no secret)
    appended = list(records(random, 2000))
    states, pending = await opened(store, 20)
    for begin in range(0, len(appended), 20):
        await fold_in(states, pending, appended[begin : begin + 20])
        store.full = random.random() < 0.4
        await states.flush(begin + 20)
    store.full = False
    await states.flush(len(appended))
    again, whole = await stored(store), folded(appended)
    assert {product: without_commands(found) for product, found in again.items()} == {
        product: without_commands(found) for product, found in whole.items()
    }


async def test_what_is_written_for_a_large_state_grows_with_its_changes() -> None:
    store = WeighedStore()
    states, pending = await opened(store, 20)
    holds = [
        StockReserved(order=f"o-{n:036}", quantity=1, price=PRICE, name="A thing", vat_permille=70)
        for n in range(HOLDS)
    ]
    await fold_in(states, pending, [record("p", event, n) for n, event in enumerate(holds)])
    await states.flush(HOLDS)
    large, store.bytes = len(store.load(["p"])["p"]), 0
    assert large > LARGE
    more = [record("p", UnitsAdded(units=1), HOLDS + n) for n in range(2 * RECORDS_MOST)]
    for one in more:
        await fold_in(states, pending, [one])
        await states.flush(one.offset + 1)
    changed = sum(len(one.value) for one in more)
    # with each flush of the whole state it would be a hundred times the state
    assert store.bytes <= 2 * changed + large * (2 + len(more) // RECORDS_MOST)


async def test_a_store_of_small_states_has_no_records() -> None:
    store = WeighedStore()
    states, pending = await opened(store, 20)
    for n in range(5):
        await fold_in(states, pending, [record("p", UnitsAdded(units=1), n)])
        await states.flush(n + 1)
    assert store.later(["p"]) == {}
    assert (await stored(store))["p-0"] == SnapshotFold(STOCK).empty
