"""What the stories of demos have in common: their clock, their people, and requests of these people."""

import asyncio
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from bookshelf.accounts.group import FIRST_GROUPS
from bookshelf.cli.command import stop
from bookshelf.cli.embedded import Embedded
from bookshelf.cqrs.handler import Caller
from bookshelf.http.message import Request, read_response, request
from bookshelf.runtime.api.identity import OPERATOR, ApiOfCaller

ADMINISTRATOR = Caller(actor=OPERATOR, account=OPERATOR, owner=OPERATOR, scopes=frozenset({"accounts:admin"}))
_REFUSED = 400
_MOST_BYTES = 16 << 20
#: How often, and how many seconds apart, something is looked for that a process makes.
_LOOKS, _LOOK_S = 600, 0.1


class StoryClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        """Return the time it was set to, in UTC."""
        return self._now

    def set(self, when: datetime) -> None:
        """Go on to a time; it never goes back."""
        self._now = max(self._now, when)
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def until(self, when: datetime) -> None:
        """Wait until the clock is set to `when` or later."""
        while self._now < when:
            await self._moved.wait()


async def send_as(
    shelf: Embedded, caller: Caller, method: str, target: str, body: object = None, **headers: str
) -> Mapping[str, Any]:
    """Send a request of a person; bytes are sent as they are. Ends the program if it is refused."""
    content = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
    if content:
        headers.setdefault("Content_Type", "application/json")
    status, answered = await _answered(
        shelf, caller, request(method, f"/bookshelf{target}", content, **headers)
    )
    if status >= _REFUSED:
        stop(f"{method} {target} was refused: {answered.decode(errors='replace')[:500]}")
    decoded: Mapping[str, Any] = msgspec.json.decode(answered) if answered else {}
    return decoded


async def _answered(shelf: Embedded, caller: Caller, asked: Request) -> tuple[int, bytes]:
    response = await ApiOfCaller(shelf.gateway, shelf.callers, caller).handle(asked)
    return response.status, await read_response(response, _MOST_BYTES)


async def wait_for(shelf: Embedded, caller: Caller, target: str) -> None:
    """Wait until a person gets an answer, which a process makes a moment later; else end the program."""
    for _ in range(_LOOKS):
        status, _ignored = await _answered(shelf, caller, request("GET", f"/bookshelf{target}", b""))
        if status < _REFUSED:
            return
        await asyncio.sleep(_LOOK_S)
    stop(f"GET {target} has had no answer for {_LOOKS * _LOOK_S:.0f} s")


async def register(shelf: Embedded, handle: str, name: str, *groups: str) -> tuple[str, str]:
    """Open an account, also in these groups. Return its id and its password."""
    password = secrets.token_urlsafe(12)
    body = {
        "handle": handle,
        "name": name,
        "email": f"{handle}@example.org",
        "password": password,
        "groups": [*FIRST_GROUPS, *groups],
    }
    made = await send_as(shelf, ADMINISTRATOR, "POST", "/accounts", body)
    return made["id"], password
