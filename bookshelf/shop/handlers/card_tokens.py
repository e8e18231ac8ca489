"""Makes tokens of cards: the only place that numbers of cards reach. It keeps and logs none of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.runtime.api.bodies import json_answer, read_body
from bookshelf.runtime.decoding import Decoder
from bookshelf.shop.cards import FindProvider
from bookshelf.shop.values import BUY


class NewCard(msgspec.Struct, forbid_unknown_fields=True):
    """A card, as it is printed."""

    number: Annotated[str, Meta(max_length=100)]
    holder: Annotated[str, Meta(min_length=1, max_length=100)]
    expiry: Annotated[str, Meta(max_length=10, description="month and year", examples=["09/29"])]
    cvc: Annotated[str, Meta(max_length=10)]


class CardAnswer(msgspec.Struct, frozen=True):
    """The token to pay with, valid until then, and what may be shown of the card."""

    token: str
    brand: str
    last4: str
    until: datetime


_BODY = Decoder(NewCard)


@dataclass(frozen=True)
class CardTokens:
    """The handler of POST /shop/cards."""

    find_provider: FindProvider

    async def make(self, request: Request, _context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer 201 with a token of a card. Raises `Problem`, `Invalid`."""
        body: NewCard = await read_body(request, _BODY)
        provider = await self.find_provider(ports)
        made = provider.tokenize(body.number, body.expiry, body.cvc)
        return json_answer(201, CardAnswer(made.token, made.brand, made.last4, made.until))


def card_routes(find_provider: FindProvider) -> tuple[HandlerRoute, ...]:
    """Return the route, for a provider."""
    return (
        HandlerRoute(
            method="POST",
            path="/shop/cards",
            summary="Make a token of a card",
            handler=CardTokens(find_provider).make,
            body_bytes=4 << 10,
            requires=BUY,
            body=NewCard,
            returns=CardAnswer,
            status=201,
        ),
    )
