"""The cart: its lines, their quantities, prices that have changed, and what leads on to an order."""

from collections.abc import Mapping
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.shop.money import Money
from bookshelf.shop.pages.shared.models import ShopProduct, ShownCart, ShownCartLine
from bookshelf.shop.pages.shared.product_tiles import example_products, long_product, product_cover
from bookshelf.shop.values import BUY, QUANTITY_MOST
from bookshelf.site.api_adapters import ApiProblem, FieldFault, segment, target
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

CART = "/shop/cart"
NOTICES = {
    "in-cart": _("It is in your cart."),
    "cart-changed": _("Your cart is changed."),
    "price-accepted": _("The new price is accepted."),
}
_REUSED = "key-reused"


class ShownCartQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What was just taken out: a product, and how many of it."""

    gone: str = ""
    quantity: int = 1


class CartLineForm(Form):
    """What to do with a line: another quantity, 0 for none; or accept its new price. One of them is given."""

    quantity: Annotated[int, Meta(ge=0, le=QUANTITY_MOST)] | None = None
    accept: bool = False


class LineTile(NamedTuple):
    """A line with the cover of its product."""

    line: ShownCartLine
    cover: GeneratedCover


class CartModel(Model):
    """The cart; `gone` is the product that was just taken out, None without one.

    `wrong` is the product of the line whose form was not carried out, "" without one.
    """

    lines: tuple[LineTile, ...]
    total: Money | None
    count: int
    gone: ShopProduct | None
    gone_quantity: int
    ready: bool
    wrong: str


async def count_cart(request: PageRequest) -> Mapping[str, int]:
    """Return the number of things in the cart, for the bar; nothing for a guest."""
    if request.caller.is_guest:
        return {}
    cart = await request.api.try_get(CART, kind=ShownCart)
    return {} if cart is None else {CART: cart.body.count}


async def add_to_cart(request: PageRequest, product: ShopProduct, quantity: int) -> None:
    """Put units of a product into the cart, beside those that are there. Raises `ApiProblem`."""
    cart: ShownCart = (await request.api.get(CART, kind=ShownCart)).body
    had = next((line.quantity for line in cart.lines if line.product == product.id), 0)
    wanted = 1 if product.unique else min(had + quantity, QUANTITY_MOST)
    await _put_line(request, product.id, wanted, product.price)


async def _put_line(request: PageRequest, product: str, quantity: int, price: Money | None) -> None:
    body = {"quantity": quantity} if price is None else {"quantity": quantity, "price": price}
    try:
        await request.api.put(f"{CART}/lines/{segment(product)}", body)
    except ApiProblem as problem:
        # the same form a second time: the first one has put more into the cart, which is what was wanted
        if problem.kind != _REUSED:
            raise


async def show_cart(request: PageRequest) -> Page:
    """Show the cart."""
    query: ShownCartQuery = request.query
    cart = await request.api.get(CART, kind=ShownCart)
    gone = None
    if query.gone:
        gone = await request.api.try_get(f"/shop/products/{segment(query.gone)}", kind=ShopProduct)
    return _page(cart.body, None if gone is None else gone.body, query.quantity)


def _page(cart: ShownCart, gone: ShopProduct | None = None, quantity: int = 1, wrong: str = "") -> Page:
    lines = tuple(LineTile(line, product_cover(line.name)) for line in cart.lines)
    return Page(
        "cart.html",
        CartModel(
            lines=lines,
            total=cart.total,
            count=cart.count,
            gone=gone,
            gone_quantity=quantity,
            ready=cart.total is not None
            and all(line.can_be_ordered and not line.is_dearer for line in cart.lines),
            wrong=wrong,
        ),
    )


async def show_line(request: PageRequest) -> Page | Redirect:
    """Go to the cart: a line has no page of its own. A form that was not carried out is shown there."""
    if request.submission is None:
        return Redirect(CART)
    cart = await request.api.get(CART, kind=ShownCart)
    return _page(cart.body, wrong=request.path["id"])


async def change_line(request: PageRequest, form: CartLineForm) -> Redirect:
    """Change a line: its quantity, or the price that it is ordered at. Raises `ApiProblem`, `FormRefused`."""
    product = request.path["id"]
    cart: ShownCart = (await request.api.get(CART, kind=ShownCart)).body
    line = next((line for line in cart.lines if line.product == product), None)
    if form.accept:
        if line is not None and line.now is not None:
            await _put_line(request, product, line.quantity, line.now)
        return Redirect(CART, notice="price-accepted")
    if form.quantity is None:
        raise FormRefused(FieldFault("quantity", request.translate(_("Fill this in."))))
    if form.quantity == 0:
        await request.api.delete(f"{CART}/lines/{segment(product)}")
        had = 1 if line is None else line.quantity
        return Redirect(target(CART, gone=product, quantity=had))
    price = None if line is None else line.price
    await _put_line(request, product, form.quantity, price)
    return Redirect(CART, notice="cart-changed")


def _line(product: ShopProduct, quantity: int = 1, **changes: object) -> ShownCartLine:
    price = Money(product.price.amount * quantity, "EUR")
    line = ShownCartLine(
        product=product.id,
        name=product.name,
        image="",
        quantity=quantity,
        unique=False,
        price=product.price,
        now=product.price,
        availability=product.availability,
        removed=False,
        subtotal=price,
    )
    return msgspec.structs.replace(line, **changes)


def example_cart(*lines: ShownCartLine) -> ShownCart:
    """Return a cart for examples of pages; without lines, one with two usual ones."""
    first, second, *_others = example_products()
    chosen = lines or (_line(first, 2), _line(second))
    total = sum(line.subtotal.amount for line in chosen if line.subtotal is not None)
    count = sum(line.quantity for line in chosen)
    return ShownCart(lines=chosen, total=Money(total, "EUR"), count=count)


def _examples() -> Mapping[str, Page]:
    products = example_products()
    cheaper = _line(products[2], price=Money(999, "EUR"))
    gone = _line(products[4], now=None, removed=True, availability="out", subtotal=None)
    changed = example_cart(_line(products[0]), cheaper, gone, _line(products[3], unique=True))
    return {
        "usual": _page(example_cart()),
        "changed": _page(changed),
        "removed": _page(example_cart(), products[5], 2),
        "empty": _page(ShownCart(lines=(), total=None, count=0)),
        "long": _page(example_cart(_line(long_product(), 999), *map(_line, products))),
    }


PAGES = (
    PageRoute(
        CART,
        get=show_cart,
        title=_("Your cart"),
        params=ShownCartQuery,
        section=CART,
        examples=_examples,
        requires=BUY,
    ),
    PageRoute(
        f"{CART}/lines/{{id}}",
        get=show_line,
        post=change_line,
        form=CartLineForm,
        title=_("Your cart"),
        section=CART,
        requires=BUY,
    ),
)
