"""Stock: units are held for orders before they are sold, each answer is an event."""

import pytest
from support.spec import given

from bookshelf.cqrs.errors import Conflict, NotFound
from bookshelf.shop import events
from bookshelf.shop.money import Money
from bookshelf.shop.stock import (
    STOCK,
    AddUnits,
    ReleaseStock,
    ReserveStock,
    ReturnStock,
    SetUnits,
    TakeStock,
)
from bookshelf.shop.values import ProductDetails

PRICE = Money(1999, "EUR")
ADDED = events.ProductAdded(details=ProductDetails(name="Dune", vat_permille=70), price=PRICE, units=3)


def held(order: str, quantity: int) -> events.StockReserved:
    return events.StockReserved(order=order, quantity=quantity, price=PRICE, name="Dune", vat_permille=70)


def refused(reason: str, *, quantity: int = 1, available: int = 3, **more: Money) -> events.StockRefused:
    given_price = {"price": PRICE, **more}
    return events.StockRefused(
        order="o-1", reason=reason, quantity=quantity, available=available, **given_price
    )


def test_units_are_held_at_the_present_price_and_name() -> None:
    given(STOCK, ADDED).when(ReserveStock(order="o-1", quantity=2)).then(held("o-1", 2))
    given(STOCK, ADDED).when(ReserveStock(order="o-1", quantity=2, price=PRICE)).then(held("o-1", 2))
    changes = (
        events.ProductChanged(details=ProductDetails(name="Dune 2", vat_permille=190)),
        events.ProductRepriced(price=Money(5, "EUR")),
    )
    given(STOCK, ADDED, *changes).when(ReserveStock(order="o-1", quantity=1)).then(
        events.StockReserved(order="o-1", quantity=1, price=Money(5, "EUR"), name="Dune 2", vat_permille=190)
    )


def test_an_order_that_is_not_served_gets_its_reason_as_an_event() -> None:
    out = refused("out-of-stock", quantity=2, available=1)
    given(STOCK, ADDED, held("o-2", 2)).when(ReserveStock(order="o-1", quantity=2)).then(out)
    agreed = Money(1500, "EUR")
    given(STOCK, ADDED).when(ReserveStock(order="o-1", quantity=1, price=agreed)).then(
        refused("price-changed", agreed=agreed)
    )
    gone = refused("no-longer-sold", available=0)
    given(STOCK, ADDED, events.ProductRemoved()).when(ReserveStock(order="o-1", quantity=1)).then(gone)
    unknown = events.StockRefused(order="o-1", reason="unknown-product", quantity=1, available=0)
    given(STOCK).when(ReserveStock(order="o-1", quantity=1)).then(unknown)


def test_a_price_in_another_currency_is_another_price() -> None:
    agreed = Money(1999, "USD")
    given(STOCK, ADDED).when(ReserveStock(order="o-1", quantity=1, price=agreed)).then(
        refused("price-changed", agreed=agreed)
    )


def test_an_order_has_one_hold() -> None:
    given(STOCK, ADDED, held("o-1", 1)).when(ReserveStock(order="o-1", quantity=1)).then()


def test_a_hold_is_released_or_taken_once() -> None:
    reserved = (ADDED, held("o-1", 2))
    released = events.StockReleased(order="o-1", quantity=2)
    taken = events.StockTaken(order="o-1", quantity=2)
    given(STOCK, *reserved).when(ReleaseStock(order="o-1")).then(released)
    given(STOCK, *reserved).when(TakeStock(order="o-1")).then(taken)
    for end in (released, taken):
        given(STOCK, *reserved, end).when(ReleaseStock(order="o-1")).then()
        given(STOCK, *reserved, end).when(TakeStock(order="o-1")).then()
    assert STOCK.fold([*reserved, released]).available == 3
    assert STOCK.fold([*reserved, taken]).units == STOCK.fold([*reserved, taken]).available == 1


def test_what_a_canceled_order_has_taken_comes_back() -> None:
    reserved = (ADDED, held("o-1", 2))
    back = ReturnStock(order="o-1", quantity=2)
    given(STOCK, *reserved).when(back).then(events.StockReleased(order="o-1", quantity=2))
    returned = events.UnitsReturned(order="o-1", quantity=2)
    taken = (*reserved, events.StockTaken(order="o-1", quantity=2))
    given(STOCK, *taken).when(back).then(returned)
    assert STOCK.fold([*taken, returned]).units == 3


def test_units_are_added_and_set_but_not_below_the_holds() -> None:
    given(STOCK, ADDED).when(AddUnits(units=2, why="delivery")).then(
        events.UnitsAdded(units=2, why="delivery")
    )
    given(STOCK, ADDED).when(SetUnits(units=7)).then(events.UnitsSet(units=7))
    given(STOCK, ADDED).when(SetUnits(units=3)).then()
    given(STOCK, ADDED, held("o-1", 2)).when(SetUnits(units=1)).refused(Conflict, match="2 units are held")
    given(STOCK, ADDED).when(AddUnits(units=10**9)).refused(Conflict)


@pytest.mark.parametrize("past", [(), (ADDED, events.ProductRemoved())])
def test_only_a_product_that_is_sold_gets_units(past: tuple[events.ProductAdded, ...]) -> None:
    given(STOCK, *past).when(AddUnits(units=1)).refused(NotFound)
    given(STOCK, *past).when(SetUnits(units=1)).refused(NotFound)


def test_holds_of_a_removed_product_stay() -> None:
    past = (ADDED, held("o-1", 2), events.ProductRemoved())
    given(STOCK, *past).when(TakeStock(order="o-1")).then(events.StockTaken(order="o-1", quantity=2))
