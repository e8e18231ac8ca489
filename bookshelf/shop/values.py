"""The values that events and commands of the shop share: details of a product, lines, reasons, VAT."""

from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.shop.money import Money, plain_amount

#: The scopes of customers and of managers.
BUY, MANAGE = ("shop:buy",), ("shop:manage",)
#: The most lines of a cart or an order, and the most units of one line.
LINES_MOST = 50
QUANTITY_MOST = 999
Quantity = Annotated[int, Meta(ge=1, le=QUANTITY_MOST, description="how many units", examples=[1])]
#: The pattern of a text on one line, without controls and marks that change its direction.
ONE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$(?!\n)"
Attribute = str | int | float
#: What `customer` is for one's own things.
ME = "me"
Customer = Annotated[str, Meta(max_length=200, description="the id of an account, or me", examples=["me"])]


class ProductDetails(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a product is. `category` is an id, empty for none; `unique`: a cart has at most one unit of it."""

    name: str
    description: str = ""
    supplier: str = ""
    category: str = ""
    vat_permille: int = 0
    unique: bool = False
    attributes: dict[str, Attribute] = msgspec.field(default_factory=dict)
    image: str = ""


class OrderLine(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line as it is ordered. `price` is the one that the customer saw, if the order names it."""

    product: str
    quantity: int
    price: Money | None = None


class BoughtLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line with the name, the price of a unit and the VAT that its hold has fixed."""

    product: str
    quantity: int
    name: str
    price: Money
    vat_permille: int

    @property
    def gross(self) -> int:
        """The price of all its units."""
        return self.price.amount * self.quantity


class VatSum(msgspec.Struct, frozen=True, kw_only=True):
    """The lines of one VAT rate of an invoice: gross = net + VAT."""

    permille: int
    gross: int
    vat: int
    net: int


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an order was canceled, as data. The amounts are in minor units of the shop's currency.

    `code` is out-of-stock (product, wanted, available), price-changed (product, agreed, now),
    unknown-product or no-longer-sold (product), insufficient-credit (needed, available), unknown-customer,
    other-currency, card-declined (decline), total-too-large, held-back (maybe product), timeout, customer,
    or manager.
    """

    code: str
    product: str = ""
    wanted: int | None = None
    available: int | None = None
    agreed: int | None = None
    now: int | None = None
    needed: int | None = None
    decline: str = ""


_DETAILS = {
    "unknown-product": "there is no such product",
    "no-longer-sold": "this product is no longer sold",
    "unknown-customer": "this customer has no credit",
    "other-currency": "the credit of this customer is in another currency; a manager can set it anew",
    "card-declined": "the card was declined: {decline}",
    "total-too-large": "the total is too large for one order",
    "held-back": "a record of the shop cannot be read; an operator has to resolve that",
    "timeout": "not every part has answered in time",
    "customer": "the customer has canceled it",
    "manager": "a manager has canceled it",
}


def detail_of(reason: Reason, currency: str) -> str:
    """Return a reason as a sentence."""
    match reason:
        case Reason(code="out-of-stock", available=int(available)):
            return f"only {available} {'is' if available == 1 else 'are'} available"
        case Reason(code="price-changed", agreed=int(agreed), now=int(now)):
            return f"the price was {plain_amount(agreed, currency)}, and is now {plain_amount(now, currency)}"
        case Reason(code="insufficient-credit", needed=int(needed), available=int(available)):
            needed_text, available_text = (plain_amount(part, currency) for part in (needed, available))
            return f"{needed_text} is needed, {available_text} is available"
    return _DETAILS.get(reason.code, reason.code).format(decline=reason.decline)
