"""A card provider to try the shop with: it takes test numbers only, and stores nothing of them.

What a card does is in its signed token, and so is nothing of its number but the last four digits.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from bookshelf.cqrs.errors import Invalid
from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.shop.cards import CardDeclined, Charge, NewToken

#: How long a token can be paid with.
TOKEN_LIFE = timedelta(minutes=15)
Behaviour = Literal[
    "good", "declined", "insufficient-funds", "silent", "capture-declined", "first-capture-declined"
]
#: The test numbers, with what their cards do.
TEST_CARDS: dict[str, tuple[str, Behaviour]] = {
    "4242424242424242": ("Visa", "good"),
    "5555555555554444": ("Mastercard", "good"),
    "378282246310005": ("American Express", "good"),
    "4000000000000002": ("Visa", "declined"),
    "4000000000009995": ("Visa", "insufficient-funds"),
    "4000000000000119": ("Visa", "silent"),
    "4000000000000341": ("Visa", "capture-declined"),
    "4000000000000358": ("Visa", "first-capture-declined"),
}
#: How many first captures a process remembers as declined.
_REMEMBERED = 10_000
_SECRET = "shop-cards"  # noqa: S105 (the id of a secret in the keyring)
_DIGITS_LEAST, _DIGITS_MOST = 12, 19


class CardToken(msgspec.Struct, frozen=True):
    """What a token contains: all that is kept of a card."""

    behaviour: Behaviour
    brand: str
    last4: str
    until: datetime


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(CardToken).decode


class FirstCaptures:
    """The first capture of each order whose card declines that one alone; a process forgets them at its end.

    After that the next capture counts as the first one.
    """

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def is_first(self, charge: Charge) -> bool:
        """Return True for the first capture of an order, however often it is asked for."""
        if charge.order not in self._keys and len(self._keys) >= _REMEMBERED:
            del self._keys[next(iter(self._keys))]
        return self._keys.setdefault(charge.order, charge.key) == charge.key


class CardSandbox:
    """Makes tokens of test cards, and does with each what its number stands for."""

    def __init__(
        self, secret: bytes, now: Callable[[], datetime], captures: FirstCaptures | None = None
    ) -> None:
        self._secret = secret
        self._now = now
        self._captures = captures or FirstCaptures()

    def tokenize(self, number: str, expiry: str, cvc: str) -> NewToken:
        """Return the token of a test card. Raises `Invalid`."""
        digits = number.replace(" ", "").replace("-", "")
        if not (digits.isascii() and digits.isdigit() and _DIGITS_LEAST <= len(digits) <= _DIGITS_MOST):
            raise Invalid(f"has {_DIGITS_LEAST} to {_DIGITS_MOST} digits", field="number")
        if not has_check_digit(digits):
            raise Invalid("is mistyped: its last digit does not fit the others", field="number")
        if digits not in TEST_CARDS:
            raise Invalid(
                "is no test number, and this shop takes no real cards: try 4242 4242 4242 4242",
                field="number",
            )
        self._check_expiry(expiry)
        if not (cvc.isascii() and cvc.isdigit() and len(cvc) in {3, 4}):
            raise Invalid("has 3 or 4 digits", field="cvc")
        brand, behaviour = TEST_CARDS[digits]
        token = CardToken(behaviour, brand, digits[-4:], self._now() + TOKEN_LIFE)
        return NewToken(self._sign(_encode(token)), brand, token.last4, token.until)

    def _check_expiry(self, expiry: str) -> None:
        month, _, year = expiry.partition("/")
        if not (month.isascii() and year.isascii() and month.isdigit() and year.isdigit() and len(year) == 2):  # noqa: PLR2004 (digits)
            raise Invalid("is a month and a year, like 09/29", field="expiry")
        now = self._now()
        if not 1 <= int(month) <= 12 or (2000 + int(year), int(month)) < (now.year, now.month):  # noqa: PLR2004 (months)
            raise Invalid("is a month that is not over", field="expiry")

    def _sign(self, content: bytes) -> str:
        text = urlsafe_b64encode(content).decode()
        return f"{text}.{hmac.new(self._secret, text.encode(), 'sha256').hexdigest()}"

    def read(self, text: str) -> CardToken:
        """Return what a token contains. Raises `CardDeclined`."""
        content = text.partition(".")[0]
        try:
            if not hmac.compare_digest(self._sign(urlsafe_b64decode(content)).encode(), text.encode()):
                raise CardDeclined("unknown-card")
            return _decode(urlsafe_b64decode(content))
        except (Base64Error, ValueError, msgspec.MsgspecError):
            raise CardDeclined("unknown-card") from None

    async def authorize(self, charge: Charge, card: str) -> str:
        """Return the token again: it also has what the capture does. Raises `CardDeclined`, OSError."""
        token = self.read(card)
        if token.until < self._now():
            raise CardDeclined("expired-token")
        if token.behaviour == "silent":
            raise TimeoutError(f"the sandbox does not answer for {charge.order}")
        if token.behaviour in {"declined", "insufficient-funds"}:
            raise CardDeclined(token.behaviour)
        return card

    async def capture(self, charge: Charge, authorization: str) -> None:
        """Take nothing. Raises `CardDeclined`."""
        behaviour = self.read(authorization).behaviour
        if behaviour == "capture-declined" or (
            behaviour == "first-capture-declined" and self._captures.is_first(charge)
        ):
            raise CardDeclined("declined")

    async def void(self, _key: str, _order: str) -> None:
        """Release nothing."""


def has_check_digit(digits: str) -> bool:
    """Return True if the last digit of a number fits the others (Luhn)."""
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(part // 10 + part % 10 for part in doubled) % 10 == 0


_captures = FirstCaptures()


async def sandbox(ports: HandlerPorts) -> CardSandbox:
    """Return the provider with the secret of this shop."""
    return CardSandbox(await ports.secret(_SECRET), ports.now, _captures)
