"""What gateways ask of `users`: access tokens for browsers' sessions, and what was revoked."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Annotated
from urllib.parse import parse_qsl

import msgspec
from msgspec import Meta

from bookshelf.accounts.account import ACCOUNT
from bookshelf.accounts.handlers.parts import secret_texts, unauthenticated
from bookshelf.accounts.handlers.sign_in import SignIn, is_valid
from bookshelf.accounts.handlers.tokens import TOKEN_MAX
from bookshelf.accounts.people import VIEW, revoked_since
from bookshelf.accounts.session import SESSION, UseSession, due
from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.handler import HandlerPorts, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.bodies import json_answer, read_body
from bookshelf.runtime.decoding import Decoder

#: Seconds between two looks at the rows while a gateway waits, and until it is answered in any case.
LOOK_S, WAIT_S = 0.5, 5.0
_PLACE = re.compile(r"([0-9]{1,9})@([0-9]{1,18})", re.ASCII)
#: The last offset of each partition.
Places = Mapping[int, int]


class SessionExchange(msgspec.Struct, forbid_unknown_fields=True):
    """The value of a browser's session cookie."""

    session: Annotated[str, Meta(max_length=200)]


_EXCHANGE = Decoder(SessionExchange)


@dataclass(frozen=True)
class GatewayCalls:
    """The handlers that only gateways call."""

    sign_in: SignIn

    async def exchange(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer 200 with an access token for a session cookie, or 401."""
        body: SessionExchange = await read_body(request, _EXCHANGE)
        session_id = (await secret_texts(ports)).read_cookie(body.session)
        if session_id is None:
            raise unauthenticated("this is no session")
        session = await ports.state(SESSION, session_id)
        account = await ports.state(ACCOUNT, session.account or "none")
        end = due(session)  # its timer may be late
        if end is None or end[0] <= context.at or not session.browser or not is_valid(session, account):
            raise unauthenticated("the session is over; sign in again")
        lasts_s = self.sign_in.parts.token_s
        used = UseSession(at=context.at, until=context.at + timedelta(seconds=lasts_s))
        try:
            await ports.ask(SESSION, session_id, used, actor=session.account)
        except NotFound:
            raise unauthenticated("the session is over; sign in again") from None
        token, scope = await self.sign_in.access_token(
            session.account, account, session_id, context.at, ports
        )
        return json_answer(200, {"access_token": token, "expires_in": lasts_s, "scope": scope})

    async def revocations(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer with what was revoked after the places that `after` names, as soon as there is something.

        Without `after`, the answer has at once what was revoked while the longest token lives.
        """
        known = _known_places(request)
        deadline = asyncio.get_running_loop().time() + (0.0 if known is None else WAIT_S)
        places = dict(known or {})
        query = partial(revoked_since, moment=context.at - TOKEN_MAX, places=known or {})
        while True:
            news = await ports.query(VIEW, query)
            if news or asyncio.get_running_loop().time() >= deadline:
                break
            await asyncio.sleep(LOOK_S)
        for row in news:
            places[row.partition] = max(row.offset, places.get(row.partition, -1))
        after = ",".join(f"{partition}@{offset}" for partition, offset in sorted(places.items()))
        sessions = [row.subject for row in news if not row.epoch]
        epochs = {row.subject: row.epoch for row in news if row.epoch}
        return json_answer(200, {"after": after, "sessions": sessions, "epochs": epochs})


def _known_places(request: Request) -> Places | None:
    """Return the places that `after` names, None without it. Raises `Problem`."""
    named = dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True)).get("after")
    if named is None:
        return None
    found = [_PLACE.fullmatch(text) for text in named.split(",") if text]
    if None in found:
        raise Problem("invalid", "after must have places like 0@42, with commas between them")
    return {int(match[1]): int(match[2]) for match in found if match is not None}
