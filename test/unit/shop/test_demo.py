"""The made-up bookshop: real books, a whole year, and the same for the same seed."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from bookshelf.shop.demo import Delivery, NewPrice, Purchase, Refill, demo_books, demo_people, demo_year

END = datetime(2026, 11, 27, tzinfo=UTC)
BOOKS, PEOPLE = demo_books(), demo_people()


def test_it_has_60_books_in_8_categories_and_12_people() -> None:
    assert (len(BOOKS), len({book.category for book in BOOKS}), len(PEOPLE)) == (60, 8, 12)
    assert len({book.title for book in BOOKS}) == 60
    assert min(Counter(book.category for book in BOOKS).values()) >= 6
    assert all(0 < book.price < 10_000 and book.units > 0 and book.description for book in BOOKS)


def test_the_same_seed_makes_the_same_year() -> None:
    assert demo_year(BOOKS, PEOPLE, END, 1) == demo_year(BOOKS, PEOPLE, END, 1)
    assert demo_year(BOOKS, PEOPLE, END, 1) != demo_year(BOOKS, PEOPLE, END, 2)


def test_a_year_has_orders_in_each_month_and_all_that_happens_in_a_shop() -> None:
    year = demo_year(BOOKS, PEOPLE, END, 1)
    assert [step.when for step in year] == sorted(step.when for step in year)
    assert all(END - timedelta(days=360) <= step.when <= END for step in year)
    orders = [step for step in year if isinstance(step, Purchase)]
    assert len({(order.when.year, order.when.month) for order in orders}) >= 12
    assert {bool(order.card) for order in orders} == {True, False}
    assert {order.shipped is None for order in orders} == {True, False}
    assert {type(step) for step in year} == {Purchase, Delivery, Refill, NewPrice}
    assert {order.person for order in orders} == set(range(len(PEOPLE)))
