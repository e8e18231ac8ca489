"""The lines of a checkout: one product that is ordered at once, or the cart, at the prices of now."""

from typing import Any, NamedTuple

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.shop.money import Money
from bookshelf.shop.pages.customer.cart import CART
from bookshelf.shop.pages.customer.checkout_state import Checkout
from bookshelf.shop.pages.shared.models import ShopProduct, ShownCart
from bookshelf.shop.pages.shared.product_tiles import product_cover
from bookshelf.site.api_adapters import segment
from bookshelf.site.page_request import PageRequest


class CheckoutLine(NamedTuple):
    """A line of the summary: what is ordered, at which price."""

    product: str
    name: str
    image: str
    cover: GeneratedCover
    quantity: int
    price: Money

    @property
    def sent(self) -> str:
        """The line as the form sends it."""
        return f"{self.product} {self.quantity} {self.price.amount} {self.price.currency}"


def read_line(text: str) -> dict[str, Any]:
    """Return a line that a form has sent, as the API takes it."""
    product, quantity, amount, currency = (text.split(" ") + [""] * 4)[:4]
    number = int(quantity) if quantity.isdecimal() else 0
    price = {"amount": int(amount) if amount.isdecimal() else 0, "currency": currency}
    return {"product": product, "quantity": number, "price": price}


async def checkout_lines(request: PageRequest, checkout: Checkout) -> tuple[CheckoutLine, ...]:
    """Return what is ordered at the prices of now; nothing if the cart has a line that cannot be ordered."""
    if checkout.product:
        found = await request.api.get(f"/shop/products/{segment(checkout.product)}", kind=ShopProduct)
        return line_of_product(found.body, checkout.quantity)
    cart: ShownCart = (await request.api.get(CART, kind=ShownCart)).body
    return lines_of_cart(cart)


def line_of_product(product: ShopProduct, quantity: int) -> tuple[CheckoutLine, ...]:
    """Return the line of one product; nothing if it cannot be ordered."""
    if product.removed or product.availability == "out":
        return ()
    cover = product_cover(product.name)
    line = CheckoutLine(product.id, product.name, product.image, cover, quantity, product.price)
    return (line,)


def lines_of_cart(cart: ShownCart) -> tuple[CheckoutLine, ...]:
    """Return the lines of a cart; nothing if one of them cannot be ordered as it is."""
    # without a total there is nothing, or more than one order can have
    if cart.total is None or not all(line.can_be_ordered and not line.is_dearer for line in cart.lines):
        return ()
    return tuple(
        CheckoutLine(line.product, line.name, line.image, product_cover(line.name), line.quantity, line.now)
        for line in cart.lines
        if line.now is not None
    )


def total_of(lines: tuple[CheckoutLine, ...]) -> Money:
    """Return what lines come to; there is at least one."""
    return Money(sum(line.price.amount * line.quantity for line in lines), lines[0].price.currency)
