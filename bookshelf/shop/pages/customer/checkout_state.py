"""What a checkout has answered so far. The browser keeps it in a cookie that only its pages get."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import Literal

import msgspec

COOKIE = "bookshelf-checkout"
_PATH = "Path=/shop/checkout; HttpOnly; SameSite=Lax"
#: Seconds that a checkout is kept: tokens of cards live less long. And the most characters of its cookie.
_KEPT_S, _MOST = 1800, 3800
#: The value of a Set-Cookie header that ends a checkout.
CHECKOUT_GONE = f"{COOKIE}=; Max-Age=0; {_PATH}"


class Checkout(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The answers: `product` and `quantity` if one product is ordered at once, else it is the cart.

    `key` makes one order of all tries. Of a card there are its token, its brand and its last digits.
    """

    key: str
    product: str = ""
    quantity: int = 1
    address: str = ""
    pay: Literal["", "credit", "card"] = ""
    token: str = ""
    brand: str = ""
    last4: str = ""

    def cookie(self) -> str | None:
        """Return the value of a Set-Cookie header that keeps them; None if they are too long for one."""
        text = urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")
        return None if len(text) > _MOST else f"{COOKIE}={text}; Max-Age={_KEPT_S}; {_PATH}"


def read_checkout(cookies: Mapping[str, str]) -> Checkout | None:
    """Return the answers that a browser has kept; None without any that can be read."""
    text = cookies.get(COOKIE, "")[:_MOST]
    try:
        return msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Checkout)
    except (msgspec.DecodeError, binascii.Error, ValueError):
        return None
