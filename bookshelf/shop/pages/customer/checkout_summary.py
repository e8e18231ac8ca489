"""The last page of a checkout: a summary, and a button that makes one order however often it is used."""

from collections.abc import Mapping
from typing import Any

from bookshelf.shop.money import Money
from bookshelf.shop.pages.customer.cart import CART, example_cart
from bookshelf.shop.pages.customer.checkout import (
    EXAMPLE_ADDRESS,
    PAYMENT,
    SUMMARY,
    begun_checkout,
    nothing_to_order,
)
from bookshelf.shop.pages.customer.checkout_lines import (
    CheckoutLine,
    checkout_lines,
    line_of_product,
    lines_of_cart,
    read_line,
    total_of,
)
from bookshelf.shop.pages.customer.checkout_payment import example_credit, left_of, own_credit
from bookshelf.shop.pages.customer.checkout_state import CHECKOUT, Checkout
from bookshelf.shop.pages.shared.models import ShopCredit
from bookshelf.shop.pages.shared.order_texts import NO_ORDERS, refused_as
from bookshelf.shop.pages.shared.product_tiles import example_products
from bookshelf.shop.values import BUY
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest
from bookshelf.site.preferences import CHECKOUT_GONE


class OrderForm(Form):
    """The lines that the summary showed: product, quantity, price and currency of each.

    `answers` is the digest of the answers that it showed.
    """

    line: tuple[str, ...] = ()
    answers: str = ""


class SummaryModel(Model):
    """All answers, and what is ordered."""

    key: str
    answers: str
    start: str
    lines: tuple[CheckoutLine, ...]
    total: Money
    address: str
    pay: str
    card: str
    left: Money | None


async def show_summary(request: PageRequest) -> Page | Redirect:
    """Show what is about to be ordered; without an answer to each question, go back to it."""
    checkout = begun_checkout(request)
    if checkout is None:
        return Redirect(CHECKOUT)
    if not checkout.pay:
        return Redirect(PAYMENT)
    if checkout.has_expired_card(request.now):
        return Redirect(PAYMENT, notice="card-again")
    lines = await checkout_lines(request, checkout)
    if not lines:
        return nothing_to_order(checkout)
    credit = None
    if checkout.pay == "credit":
        credit = await own_credit(request, total_of(lines).currency)
    return _summary_page(checkout, lines, credit)


def _summary_page(checkout: Checkout, lines: tuple[CheckoutLine, ...], credit: ShopCredit | None) -> Page:
    total = total_of(lines)
    model = SummaryModel(
        key=checkout.key,
        answers=checkout.digest,
        start=checkout.start,
        lines=lines,
        total=total,
        address=checkout.address,
        pay=checkout.pay,
        card=f"{checkout.brand} •••• {checkout.last4}",
        left=left_of(credit, total),
    )
    return Page("summary.html", model)


async def order(request: PageRequest, form: OrderForm) -> Redirect:
    """Place the order that the summary showed: once, however often it is sent.

    If the answers are others than those that were shown, it is shown again.

    Raises `ApiProblem`, `FormRefused`.
    """
    checkout = begun_checkout(request)
    if checkout is None:
        return Redirect("/shop/orders", notice="checkout-over")
    if form.answers != checkout.digest:
        return Redirect(SUMMARY, notice="answers-changed")
    if checkout.has_expired_card(request.now):
        return Redirect(PAYMENT, notice="card-again")
    body: dict[str, Any] = {
        "lines": [read_line(text) for text in form.line],
        "pay": {"card": checkout.token} if checkout.pay == "card" else "credit",
        "cart": not checkout.product,
    }
    if checkout.address:
        body["address"] = checkout.address
    with refused_as(request, NO_ORDERS):
        placed = await request.api.post("/shop/orders", body)
    return Redirect(f"/shop/orders/{placed.body['id']}", notice="ordered", cookies=(CHECKOUT_GONE,))


def _summary_examples() -> Mapping[str, Page]:
    lines = lines_of_cart(example_cart())
    many = tuple(line_of_product(one, 999)[0] for one in example_products() if one.availability != "out")
    credit = Checkout(key="k", address=EXAMPLE_ADDRESS, pay="credit")
    card = Checkout(key="k", address=EXAMPLE_ADDRESS * 6, pay="card", brand="American Express", last4="0005")
    return {
        "usual": _summary_page(credit, lines, example_credit(10_000)),
        "short": _summary_page(credit, lines, example_credit(100)),
        "long": _summary_page(card, many, None),
    }


PAGES = (
    PageRoute(
        SUMMARY,
        get=show_summary,
        post=order,
        form=OrderForm,
        title=_("Your order"),
        section=CART,
        examples=_summary_examples,
        requires=BUY,
    ),
)
