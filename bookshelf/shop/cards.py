"""The port of a card provider, and the connector that calls it for the payments of orders."""

import re
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import NamedTuple, Protocol

from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.errors import Invalid
from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.cqrs.process import Send
from bookshelf.cqrs.view import Recorded
from bookshelf.shop.events import EVENTS, TOPIC
from bookshelf.shop.money import Money
from bookshelf.shop.payment import (
    PAYMENT,
    NoteAuthorized,
    NoteCaptured,
    NoteCaptureDeclined,
    NoteDeclined,
    NoteVoided,
)
from bookshelf.shop.payment_events import CaptureRequested, PaymentRequested, VoidRequested


class CardDeclined(Exception):
    """The provider declines a card or a payment; `code` has the reason."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Charge(NamedTuple):
    """What is asked of a provider. `key` is the same in every call for one event: it is carried out once."""

    key: str
    order: str
    amount: Money


#: A token of a provider; the signature at its end may have many digits in a row, its content has not.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,1900}={0,2}\.[0-9a-f]{64}")
_NUMBER = re.compile(r"[0-9]{12}")


def check_token(card: str) -> None:
    """Check that a text can be a token of a card, and has no number of one in it. Raises `Invalid`.

    What an order names is kept in the log.
    """
    if not _TOKEN.fullmatch(card) or _NUMBER.search(card.partition(".")[0].replace("-", "")):
        raise Invalid("is the token of POST /shop/cards, never the number of a card", field="pay.card")


class NewToken(NamedTuple):
    """A token of a card, valid until then, and what may be shown of the card."""

    token: str
    brand: str
    last4: str
    until: datetime


class CardProvider(Protocol):
    """Holds, takes and releases money of cards. Every call may be made again with the same key.

    A call raises OSError (a time-out among them) if the provider does not answer.
    """

    def tokenize(self, number: str, expiry: str, cvc: str) -> NewToken:
        """Return a token of a card. Raises `Invalid`."""

    async def authorize(self, charge: Charge, card: str) -> str:
        """Hold an amount on the card of a token; return the name of that. Raises `CardDeclined`."""

    async def capture(self, charge: Charge, authorization: str) -> None:
        """Take an amount that is held. Raises `CardDeclined`."""

    async def void(self, key: str, order: str) -> None:
        """Hold nothing for an order any more; nothing may be held."""


#: Returns the provider that a call uses, with what the service's ports have: secrets, the time.
FindProvider = Callable[[HandlerPorts], Awaitable[CardProvider]]


def cards(find_provider: FindProvider) -> Connector:
    """Return the connector to a provider."""

    async def authorize(
        event: PaymentRequested, recorded: Recorded, key: str, ports: HandlerPorts
    ) -> Iterable[Send]:
        """Hold the amount."""
        provider, charge = await find_provider(ports), Charge(key, recorded.subject, event.amount)
        try:
            authorization = await provider.authorize(charge, event.card)
        except CardDeclined as declined:
            return [Send(PAYMENT, recorded.subject, NoteDeclined(decline=declined.code))]
        return [Send(PAYMENT, recorded.subject, NoteAuthorized(authorization=authorization))]

    async def capture(
        event: CaptureRequested, recorded: Recorded, key: str, ports: HandlerPorts
    ) -> Iterable[Send]:
        """Take the amount."""
        provider, charge = await find_provider(ports), Charge(key, recorded.subject, event.amount)
        try:
            await provider.capture(charge, event.authorization)
        except CardDeclined as declined:
            return [Send(PAYMENT, recorded.subject, NoteCaptureDeclined(decline=declined.code))]
        return [Send(PAYMENT, recorded.subject, NoteCaptured())]

    async def void(
        _event: VoidRequested, recorded: Recorded, key: str, ports: HandlerPorts
    ) -> Iterable[Send]:
        """Release the amount; calls for one order follow each other, so its authorization has ended."""
        await (await find_provider(ports)).void(key, recorded.subject)
        return [Send(PAYMENT, recorded.subject, NoteVoided())]

    return Connector(
        name="cards",
        topic=TOPIC,
        catalogue=EVENTS,
        calls={PaymentRequested: authorize, CaptureRequested: capture, VoidRequested: void},
    )
