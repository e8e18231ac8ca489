"""The story of a made-up bookshop: its books, its people, and what they do in a year, each from a seed."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from io import StringIO
from random import Random

from bookshelf.shop.sandbox import TEST_CARDS

#: The VAT of books, in thousandths.
VAT_PERMILLE = 70
_MONTHS = 12
_DAY = timedelta(days=1)
_MONTH = timedelta(days=30)
#: Orders of a month, and those of the month before the winter holidays.
_ORDERS, _ORDERS_OF_DECEMBER = (14, 22), (34, 42)
_DECEMBER = 12
#: Of so many orders, one is paid on credit; of so many that are not, one is with a card that is declined.
_ON_CREDIT, _DECLINED = 3, 14
_LINES = (1, 1, 1, 2, 2, 3)
_QUANTITIES = (1, 1, 1, 1, 1, 2)
_GOOD, _BAD, _LATE = (
    [number for number, (_, does) in TEST_CARDS.items() if does in kinds]
    for kinds in ({"good"}, {"declined", "insufficient-funds"}, {"capture-declined"})
)


@dataclass(frozen=True, slots=True)
class DemoBook:
    """A book that the shop sells; `price` in cents, `units` at the beginning."""

    category: str
    title: str
    author: str
    publisher: str
    published: int
    pages: int
    price: int
    units: int
    description: str


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """A customer of the shop."""

    handle: str
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Purchase:
    """A person orders books: pairs of a book's number and a quantity. Without a card it is on credit.

    `shipped` is when the parcel leaves; None if that is still to come.
    """

    when: datetime
    person: int
    lines: tuple[tuple[int, int], ...]
    card: str
    shipped: datetime | None
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """The publisher delivers more units of a book."""

    when: datetime
    book: int
    units: int


@dataclass(frozen=True, slots=True)
class Refill:
    """The manager gives a person more credit, in cents."""

    when: datetime
    person: int
    amount: int


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A book gets another price, in cents."""

    when: datetime
    book: int
    price: int


DemoStep = Purchase | Delivery | Refill | NewPrice


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = files("bookshelf.shop").joinpath("demo_data", name).read_text("utf-8")
    return csv.DictReader(StringIO(text))


def demo_books() -> list[DemoBook]:
    """Return the books of the shop."""
    numbers = ("published", "pages", "price", "units")
    return [DemoBook(**row | {name: int(row[name]) for name in numbers}) for row in _rows("books.csv")]  # type: ignore[arg-type]


def demo_people() -> list[DemoPerson]:
    """Return the customers of the shop."""
    return [DemoPerson(**row) for row in _rows("people.csv")]


def demo_year(
    books: Sequence[DemoBook], people: Sequence[DemoPerson], end: datetime, seed: int
) -> list[DemoStep]:
    """Return what happens in the twelve months before `end`, by time; the same for the same seed."""
    chance = Random(seed)  # noqa: S311 (a story, no secret)
    popular = [1 / (rank + 3) for rank in range(len(books))]
    chance.shuffle(popular)
    steps: list[DemoStep] = []
    for month in range(_MONTHS):
        began = end - (_MONTHS - month) * _MONTH
        steps += _purchases(chance, popular, people, began, end)
        if month:
            steps += _changes(chance, books, popular, len(people), began)
    return sorted(steps, key=lambda step: step.when)


def _purchases(
    chance: Random, popular: Sequence[float], people: Sequence[DemoPerson], began: datetime, end: datetime
) -> Iterator[Purchase]:
    low, high = _ORDERS_OF_DECEMBER if (began + _MONTH / 2).month == _DECEMBER else _ORDERS
    for _ in range(chance.randint(low, high)):
        when = began + _MONTH * chance.random()
        chosen = dict.fromkeys(chance.choices(range(len(popular)), popular, k=chance.choice(_LINES)))
        lines = tuple((book, chance.choice(_QUANTITIES)) for book in chosen)
        shipped = when + _DAY * chance.uniform(0.5, 3)
        person = chance.randrange(len(people))
        yield Purchase(
            when=when,
            person=person,
            lines=lines,
            card=_card(chance),
            shipped=shipped if shipped < end else None,
            name=people[person].name,
            address=people[person].address,
        )


def _card(chance: Random) -> str:
    if not chance.randrange(_ON_CREDIT):
        return ""
    return chance.choice(_GOOD if chance.randrange(_DECLINED) else [*_BAD, *_BAD, *_BAD, *_LATE])


def _changes(
    chance: Random, books: Sequence[DemoBook], popular: Sequence[float], people: int, began: datetime
) -> Iterator[DemoStep]:
    """Yield what the manager does in a month: popular books are delivered, some people get credit."""
    for book in sorted(range(len(books)), key=popular.__getitem__)[-8:]:
        if chance.random() < 0.6:  # noqa: PLR2004 (most months)
            yield Delivery(began + _DAY * chance.uniform(1, 6), book, chance.randint(3, 9))
    for person in chance.sample(range(people), people // 3):
        yield Refill(began + _DAY * chance.uniform(0, 9), person, 500 * chance.randint(3, 9))
    book = chance.randrange(len(books))
    price = books[book].price + 50 * chance.choice((-3, -2, 1, 2, 3))
    yield NewPrice(began + _DAY * chance.uniform(10, 20), book, price)
