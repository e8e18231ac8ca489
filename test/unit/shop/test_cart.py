"""Law 9: a cart loses a line only by its customer or by a final order."""

from support.spec import given

from bookshelf.cqrs.errors import Conflict
from bookshelf.shop.cart import CART, EmptyCart, RemoveLine, RemoveOrdered, SetLine
from bookshelf.shop.events import CartEmptied, CartOrdered, LineRemoved, LineSet
from bookshelf.shop.money import Money
from bookshelf.shop.values import OrderLine

PRICE = Money(1999, "EUR")


def put(product: str, quantity: int = 1) -> LineSet:
    return LineSet(product=product, quantity=quantity, price=PRICE)


def test_a_line_is_set_and_removed() -> None:
    given(CART).when(SetLine(product="p-1", quantity=2, price=PRICE)).then(put("p-1", 2))
    given(CART, put("p-1", 2)).when(SetLine(product="p-1", quantity=2, price=PRICE)).then()
    given(CART, put("p-1", 2)).when(SetLine(product="p-1", quantity=1, price=PRICE)).then(put("p-1"))
    given(CART, put("p-1")).when(RemoveLine(product="p-1")).then(LineRemoved(product="p-1"))
    given(CART, put("p-1")).when(RemoveLine(product="p-2")).then()
    given(CART, put("p-1")).when(EmptyCart()).then(CartEmptied())
    given(CART, put("p-1"), CartEmptied()).when(EmptyCart()).then()


def test_a_cart_has_up_to_50_lines() -> None:
    full = [put(f"p-{number}") for number in range(50)]
    given(CART, *full).when(SetLine(product="p-50", quantity=1, price=PRICE)).refused(Conflict)
    given(CART, *full).when(SetLine(product="p-0", quantity=2, price=PRICE)).then(put("p-0", 2))


def test_a_final_order_takes_its_units_out_of_the_cart() -> None:
    lines = (OrderLine("p-1", 2), OrderLine("p-2", 1))
    ordered = CartOrdered(order="o-1", lines=lines)
    given(CART).when(RemoveOrdered(order="o-1", lines=lines)).then(ordered)
    past = [put("p-1", 5), put("p-2"), put("p-3"), ordered]
    assert CART.fold(past).lines == {"p-1": OrderLine("p-1", 3, PRICE), "p-3": OrderLine("p-3", 1, PRICE)}
