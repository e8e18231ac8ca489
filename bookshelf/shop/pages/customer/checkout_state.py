"""What a checkout has answered so far. The browser keeps it in a cookie that only its pages get."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Literal

import msgspec

from bookshelf.site.api_adapters import target
from bookshelf.site.preferences import CHECKOUT_COOKIE, checkout_cookie

CHECKOUT = "/shop/checkout"
#: Seconds that a checkout is kept: tokens of cards live less long. And the most characters of its cookie.
_KEPT_S, _MOST = 1800, 3800


class Checkout(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answers of a customer: `product` and `quantity` if one product is ordered at once, else the cart.

    `customer` is the id of the account, "" without accounts. `key` makes one order of all tries. Of a card
    there are its token, which is taken `until` then, its brand and its last digits.
    """

    key: str
    customer: str = ""
    product: str = ""
    quantity: int = 1
    address: str = ""
    pay: Literal["", "credit", "card"] = ""
    token: str = ""
    brand: str = ""
    last4: str = ""
    until: datetime | None = None

    def cookie(self, *, secure: bool = False) -> str | None:
        """Return the value of a Set-Cookie header that keeps them; None if they are too long for one."""
        text = urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")
        return None if len(text) > _MOST else checkout_cookie(text, _KEPT_S, secure=secure)

    @property
    def start(self) -> str:
        """The address of the first question, with what is ordered."""
        return target(CHECKOUT, product=self.product, quantity=self.quantity) if self.product else CHECKOUT

    @property
    def digest(self) -> str:
        """A digest of all answers: a summary that shows others has another one."""
        return blake2b(msgspec.json.encode(self), digest_size=12, person=b"checkout").hexdigest()

    def has_expired_card(self, now: datetime) -> bool:
        """Return True if the token of the card is taken no more at this time."""
        return self.pay == "card" and self.until is not None and self.until <= now


def read_checkout(cookies: Mapping[str, str], customer: str | None) -> Checkout | None:
    """Return the answers that a browser has kept; None without any that can be read, or of another person.

    `customer` is the id of the caller's account, None without accounts.
    """
    text = cookies.get(CHECKOUT_COOKIE, "")[:_MOST]
    try:
        found = msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Checkout)
    except (msgspec.DecodeError, binascii.Error, ValueError):
        return None
    return found if found.customer == (customer or "") else None
