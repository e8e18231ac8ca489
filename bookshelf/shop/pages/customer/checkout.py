"""The checkout: the address, the way to pay, and the summary with one button.

Back and reload change nothing, and the button makes one order however often it is used.
"""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.shop.money import Money
from bookshelf.shop.pages.customer.cart import CART, example_cart
from bookshelf.shop.pages.customer.checkout_state import CHECKOUT_GONE, Checkout, read_checkout
from bookshelf.shop.pages.shared.models import ShopCredit, ShopProduct, ShownCart
from bookshelf.shop.pages.shared.product_tiles import example_products, product_cover
from bookshelf.shop.values import BUY, QUANTITY_MOST
from bookshelf.shop.welcome import LOCAL_READER, STARTING_CREDIT
from bookshelf.site.api_adapters import ApiProblem, FieldFault, segment
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

CHECKOUT = "/shop/checkout"
PAYMENT, SUMMARY = f"{CHECKOUT}/payment", f"{CHECKOUT}/summary"
NOTICES = {
    "ordered": _("Thank you. Your order is placed."),
    "checkout-again": _("Your checkout took too long. Begin it again."),
    "checkout-over": _("This checkout is over. What you have ordered is here."),
}
#: What is wrong with a field of a card, and the names of inputs that are not those of the API.
_CARD_TEXTS: Mapping[str, str] = {
    "number": _("Check the digits of this number. A shop without real payments takes 4242 4242 4242 4242."),
    "holder": _("Write the name as it is on the card."),
    "expiry": _("Write month and year as they are on the card, like 09/29. It must not be over."),
    "cvc": _("Write the three or four digits from the back of the card."),
}
_INPUTS = {"number": "number_secret", "cvc": "code_secret"}
_ADDRESS_MOST = 400
_NOT_FOUND = 404


class CheckoutQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A product to order at once, and how many of it; without one it is the cart."""

    product: str = ""
    quantity: int = 1


class AddressForm(Form):
    """Where the order goes; `keep`: also for the next one, in the account."""

    address: Annotated[str, Meta(max_length=_ADDRESS_MOST)]
    keep: bool = False


class PaymentForm(Form):
    """How to pay. The number and the check digits of a card are never shown again."""

    pay: str = "credit"
    holder: Annotated[str, Meta(max_length=100)] = ""
    number_secret: Annotated[str, Meta(max_length=40)] = ""
    expiry: Annotated[str, Meta(max_length=10)] = ""
    code_secret: Annotated[str, Meta(max_length=10)] = ""


class OrderForm(Form):
    """The lines that the summary showed: product, quantity, price and currency of each."""

    line: tuple[str, ...] = ()


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


class AddressModel(Model):
    """The question of the address; True if there is an account that may keep it."""

    has_account: bool


class PaymentModel(Model):
    """The question of how to pay: the credit, None if there is none, and what would be left of it."""

    total: Money
    credit: ShopCredit | None
    left: Money | None


class SummaryModel(Model):
    """All answers, and what is ordered."""

    key: str
    lines: tuple[CheckoutLine, ...]
    total: Money
    address: str
    pay: str
    card: str
    left: Money | None


async def show_address(request: PageRequest) -> Page | Redirect:
    """Ask for the address; without anything to order, go to the cart."""
    query: CheckoutQuery = request.query
    begun = read_checkout(request.cookies)
    if not query.product and not (await request.api.get(CART, kind=ShownCart)).body.lines:
        return Redirect(CART)
    address = begun.address if begun is not None else ""
    has_account = request.caller.account is not None
    if not address and has_account:
        account = await request.api.try_get("/accounts/me")
        address = "" if account is None else str(account.body.get("address") or "")
    return _address_page(address, has_account=has_account)


def _address_page(address: str, *, has_account: bool) -> Page:
    return Page(
        "address.html", AddressModel(has_account=has_account), form=AddressForm(address=address[:400])
    )


async def take_address(request: PageRequest, form: AddressForm) -> Redirect:
    """Keep the address for this order, on request also in the account. Raises `FormRefused`, `ApiProblem`."""
    query: CheckoutQuery = request.query
    if form.keep and request.caller.account is not None:
        await request.api.patch("/accounts/me", {"address": form.address})
    begun = read_checkout(request.cookies)
    fits = begun is not None and (begun.product, begun.quantity) == (query.product, query.quantity)
    if begun is None or not fits:
        quantity = max(1, min(query.quantity, QUANTITY_MOST))
        begun = Checkout(key=request.ports.new_id(), product=query.product, quantity=quantity)
    return _kept(request, msgspec.structs.replace(begun, address=form.address), PAYMENT, "address")


def _kept(request: PageRequest, checkout: Checkout, address: str, field: str) -> Redirect:
    """Return the way to the next question, with what was answered. Raises `FormRefused`."""
    cookie = checkout.cookie()
    if cookie is None:
        raise FormRefused(FieldFault(field, request.translate(_("This is too long. Write it shorter."))))
    return Redirect(address, cookies=(cookie,))


async def show_payment(request: PageRequest) -> Page | Redirect:
    """Ask how to pay."""
    checkout = read_checkout(request.cookies)
    if checkout is None:
        return Redirect(CHECKOUT)
    lines = await _lines(request, checkout)
    if not lines:
        return Redirect(CART)
    total = _total(lines)
    return _payment_page(total, await _own_credit(request, total.currency), checkout.pay)


async def _own_credit(request: PageRequest, currency: str) -> ShopCredit | None:
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


def _payment_page(total: Money, credit: ShopCredit | None, pay: str = "") -> Page:
    left = _left(credit, total)
    chosen = pay or ("credit" if left is not None else "card")
    model = PaymentModel(total=total, credit=credit, left=left)
    return Page("payment.html", model, form=PaymentForm(pay=chosen))


def _left(credit: ShopCredit | None, total: Money) -> Money | None:
    """Return what an order leaves of a credit; None if it is not enough."""
    if credit is None or credit.available.amount < total.amount:
        return None
    return Money(credit.available.amount - total.amount, total.currency)


async def take_payment(request: PageRequest, form: PaymentForm) -> Redirect:
    """Keep how to pay; of a card only its token. Raises `FormRefused`, `ApiProblem`."""
    checkout = read_checkout(request.cookies)
    if checkout is None:
        return Redirect(CHECKOUT, notice="checkout-again")
    if form.pay != "card":
        chosen = msgspec.structs.replace(checkout, pay="credit", token="", brand="", last4="")
        return _kept(request, chosen, SUMMARY, "")
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
        checkout, pay="card", token=made["token"], brand=made["brand"], last4=made["last4"]
    )
    return _kept(request, chosen, SUMMARY, "")


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


async def show_summary(request: PageRequest) -> Page | Redirect:
    """Show what is about to be ordered; without an answer to each question, go back to it."""
    checkout = read_checkout(request.cookies)
    if checkout is None:
        return Redirect(CHECKOUT)
    if not checkout.pay:
        return Redirect(PAYMENT)
    lines = await _lines(request, checkout)
    if not lines:
        return Redirect(CART)
    credit = None
    if checkout.pay == "credit":
        credit = await _own_credit(request, _total(lines).currency)
    return _summary_page(checkout, lines, credit)


def _summary_page(checkout: Checkout, lines: tuple[CheckoutLine, ...], credit: ShopCredit | None) -> Page:
    total = _total(lines)
    model = SummaryModel(
        key=checkout.key,
        lines=lines,
        total=total,
        address=checkout.address,
        pay=checkout.pay,
        card=f"{checkout.brand} •••• {checkout.last4}",
        left=_left(credit, total),
    )
    return Page("summary.html", model)


async def order(request: PageRequest, form: OrderForm) -> Redirect:
    """Place the order that the summary showed: once, however often it is sent. Raises `ApiProblem`."""
    checkout = read_checkout(request.cookies)
    if checkout is None:
        return Redirect("/shop/orders", notice="checkout-over")
    body: dict[str, Any] = {
        "lines": [_line_of(text) for text in form.line],
        "pay": {"card": checkout.token} if checkout.pay == "card" else "credit",
        "cart": not checkout.product,
    }
    if checkout.address:
        body["address"] = checkout.address
    placed = await request.api.post("/shop/orders", body)
    return Redirect(f"/shop/orders/{placed.body['id']}", notice="ordered", cookies=(CHECKOUT_GONE,))


def _line_of(text: str) -> dict[str, Any]:
    product, quantity, amount, currency = (text.split(" ") + [""] * 4)[:4]
    number = int(quantity) if quantity.isdecimal() else 0
    price = {"amount": int(amount) if amount.isdecimal() else 0, "currency": currency}
    return {"product": product, "quantity": number, "price": price}


async def _lines(request: PageRequest, checkout: Checkout) -> tuple[CheckoutLine, ...]:
    """Return what is ordered at the prices of now; nothing if the cart cannot be ordered as it is."""
    if checkout.product:
        found = await request.api.get(f"/shop/products/{segment(checkout.product)}", kind=ShopProduct)
        return _line_of_product(found.body, checkout.quantity)
    cart: ShownCart = (await request.api.get(CART, kind=ShownCart)).body
    return _lines_of_cart(cart)


def _line_of_product(product: ShopProduct, quantity: int) -> tuple[CheckoutLine, ...]:
    if product.removed or product.availability == "out":
        return ()
    cover = product_cover(product.name)
    line = CheckoutLine(product.id, product.name, product.image, cover, quantity, product.price)
    return (line,)


def _lines_of_cart(cart: ShownCart) -> tuple[CheckoutLine, ...]:
    # without a total there is nothing, or more than one order can have
    if cart.total is None or not all(line.can_be_ordered and not line.is_dearer for line in cart.lines):
        return ()
    return tuple(
        CheckoutLine(line.product, line.name, line.image, product_cover(line.name), line.quantity, line.now)
        for line in cart.lines
        if line.now is not None
    )


def _total(lines: tuple[CheckoutLine, ...]) -> Money:
    return Money(sum(line.price.amount * line.quantity for line in lines), lines[0].price.currency)


def _credit(amount: int) -> ShopCredit:
    money = Money(amount, "EUR")
    return ShopCredit("a-1", money, Money(0, "EUR"), money)


_HOME = "Ann Reader\n12 Shelf Lane\nLondon"


def _address_examples() -> Mapping[str, Page]:
    return {
        "usual": _address_page(_HOME, has_account=True),
        "empty": _address_page("", has_account=False),
    }


def _payment_examples() -> Mapping[str, Page]:
    return {
        "usual": _payment_page(Money(4297, "EUR"), _credit(10_000)),
        "short": _payment_page(Money(14_297, "EUR"), _credit(10_000)),
        "none": _payment_page(Money(4297, "EUR"), None),
    }


def _summary_examples() -> Mapping[str, Page]:
    lines = _lines_of_cart(example_cart())
    many = tuple(_line_of_product(one, 999)[0] for one in example_products() if one.availability != "out")
    credit = Checkout(key="k", address=_HOME, pay="credit")
    card = Checkout(key="k", address=_HOME * 6, pay="card", brand="American Express", last4="0005")
    return {
        "usual": _summary_page(credit, lines, _credit(10_000)),
        "short": _summary_page(credit, lines, _credit(100)),
        "long": _summary_page(card, many, None),
    }


PAGES = (
    PageRoute(
        CHECKOUT,
        get=show_address,
        post=take_address,
        form=AddressForm,
        title=_("Where it goes"),
        params=CheckoutQuery,
        section=CART,
        examples=_address_examples,
        requires=BUY,
    ),
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
