"""The second question of a checkout: how to pay. Of a card only its token is kept."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.shop.money import Money
from bookshelf.shop.pages.customer.cart import CART
from bookshelf.shop.pages.customer.checkout import PAYMENT, SUMMARY, begun_checkout, kept, nothing_to_order
from bookshelf.shop.pages.customer.checkout_lines import checkout_lines, total_of
from bookshelf.shop.pages.customer.checkout_state import CHECKOUT
from bookshelf.shop.pages.shared.models import ShopCredit
from bookshelf.shop.values import BUY
from bookshelf.shop.welcome import LOCAL_READER, STARTING_CREDIT
from bookshelf.site.api_adapters import ApiProblem, FieldFault
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

#: What is wrong with a field of a card, and the names of inputs that are not those of the API.
_CARD_TEXTS: Mapping[str, str] = {
    "number": _("Check the digits of this number. A shop without real payments takes 4242 4242 4242 4242."),
    "holder": _("Write the name as it is on the card."),
    "expiry": _("Write month and year as they are on the card, like 09/29. It must not be over."),
    "cvc": _("Write the three or four digits from the back of the card."),
}
_INPUTS = {"number": "number_secret", "cvc": "code_secret"}
_NOT_FOUND = 404


class PaymentForm(Form):
    """How to pay. The number and the check digits of a card are never shown again."""

    pay: str = "credit"
    holder: Annotated[str, Meta(max_length=100)] = ""
    number_secret: Annotated[str, Meta(max_length=40)] = ""
    expiry: Annotated[str, Meta(max_length=10)] = ""
    code_secret: Annotated[str, Meta(max_length=10)] = ""


class PaymentModel(Model):
    """The question of how to pay: the credit, None if there is none, and what would be left of it.

    `start` is the address of the first question.
    """

    total: Money
    credit: ShopCredit | None
    left: Money | None
    start: str


async def show_payment(request: PageRequest) -> Page | Redirect:
    """Ask how to pay."""
    checkout = begun_checkout(request)
    if checkout is None:
        return Redirect(CHECKOUT)
    lines = await checkout_lines(request, checkout)
    if not lines:
        return nothing_to_order(checkout)
    total = total_of(lines)
    credit = await own_credit(request, total.currency)
    return _payment_page(total, credit, checkout.pay, checkout.start)


async def own_credit(request: PageRequest, currency: str) -> ShopCredit | None:
    """Return the customer's credit; None if there is none, or it cannot be read now."""
    try:
        found = await request.api.get("/shop/customers/me/credit", kind=ShopCredit)
    except ApiProblem as problem:
        if problem.answer.status != _NOT_FOUND or request.caller.owner is not None:
            return None
        # without accounts the first order opens the credit
        opening = Money(STARTING_CREDIT, currency)
        return ShopCredit(LOCAL_READER, opening, Money(0, currency), opening)
    credit: ShopCredit = found.body
    return credit


def _payment_page(total: Money, credit: ShopCredit | None, pay: str = "", start: str = CHECKOUT) -> Page:
    left = left_of(credit, total)
    chosen = pay or ("credit" if left is not None else "card")
    model = PaymentModel(total=total, credit=credit, left=left, start=start)
    return Page("payment.html", model, form=PaymentForm(pay=chosen))


def left_of(credit: ShopCredit | None, total: Money) -> Money | None:
    """Return what an order leaves of a credit; None if it is not enough."""
    if credit is None or credit.available.amount < total.amount:
        return None
    return Money(credit.available.amount - total.amount, total.currency)


async def take_payment(request: PageRequest, form: PaymentForm) -> Redirect:
    """Keep how to pay; of a card only its token. Raises `FormRefused`, `ApiProblem`."""
    checkout = begun_checkout(request)
    if checkout is None:
        return Redirect(CHECKOUT, notice="checkout-again")
    if form.pay != "card":
        chosen = msgspec.structs.replace(checkout, pay="credit", token="", brand="", last4="", until=None)
        return kept(request, chosen, SUMMARY, "")
    _check_card(request, form)
    card = {
        "number": form.number_secret.strip(),
        "holder": form.holder,
        "expiry": form.expiry,
        "cvc": form.code_secret.strip(),
    }
    try:
        made: Mapping[str, Any] = (await request.api.post("/shop/cards", card)).body
    except ApiProblem as problem:
        raise _explained(request, problem) from None
    chosen = msgspec.structs.replace(
        checkout,
        pay="card",
        token=made["token"],
        brand=made["brand"],
        last4=made["last4"],
        until=msgspec.convert(made["until"], datetime),
    )
    return kept(request, chosen, SUMMARY, "")


def _explained(request: PageRequest, problem: ApiProblem) -> Exception:
    """Return what the page raises for a refusal of a card: a text at each field, else the problem."""
    faults = [fault.field for fault in problem.faults if fault.field in _CARD_TEXTS]
    if not faults:
        return problem
    return FormRefused(
        *(FieldFault(_INPUTS.get(name, name), request.translate(_CARD_TEXTS[name])) for name in faults)
    )


def _check_card(request: PageRequest, form: PaymentForm) -> None:
    """Raise `FormRefused` for what is missing; whether a card is good, the API decides."""
    given = {
        "number_secret": form.number_secret,
        "holder": form.holder,
        "expiry": form.expiry,
        "code_secret": form.code_secret,
    }
    if missing := [name for name, text in given.items() if not text.strip()]:
        why = request.translate(_("Fill this in."))
        raise FormRefused(*(FieldFault(name, why) for name in missing))


def example_credit(amount: int) -> ShopCredit:
    """Return a credit for examples of pages."""
    money = Money(amount, "EUR")
    return ShopCredit("a-1", money, Money(0, "EUR"), money)


def _payment_examples() -> Mapping[str, Page]:
    return {
        "usual": _payment_page(Money(4297, "EUR"), example_credit(10_000)),
        "short": _payment_page(Money(14_297, "EUR"), example_credit(10_000)),
        "none": _payment_page(Money(4297, "EUR"), None),
    }


PAGES = (
    PageRoute(
        PAYMENT,
        get=show_payment,
        post=take_payment,
        form=PaymentForm,
        title=_("How you pay"),
        section=CART,
        examples=_payment_examples,
        requires=BUY,
    ),
)
