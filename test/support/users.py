"""The service users in this process, without a socket; the test names the caller of each request."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Self

import msgspec
from support.shelf import DEADLINE_S, JSON, Answered, Shelf

from bookshelf.accounts.account import ACCOUNT
from bookshelf.accounts.claim import CLAIM
from bookshelf.accounts.fields import login_claim
from bookshelf.accounts.handlers.guessing import GuessLimits, MemoryCounters
from bookshelf.accounts.handlers.parts import AccountParts
from bookshelf.accounts.handlers.routes import account_routes, need_accounts
from bookshelf.accounts.handlers.sign_in import is_valid
from bookshelf.accounts.session import SESSION
from bookshelf.cqrs.handler import GUEST, Caller
from bookshelf.http.message import Request, Response, request
from bookshelf.keyring.keyring import Keyring
from bookshelf.keyring.memory import MemoryKeyTable
from bookshelf.keyring.port import KeyTable
from bookshelf.log.port import Log
from bookshelf.runtime.api.identity import Callers, SignedCallers, signed_in
from bookshelf.runtime.clock import Ids
from bookshelf.runtime.passwords import PasswordHasher
from bookshelf.runtime.sealing import Seals
from bookshelf.runtime.service import ServiceHost
from bookshelf.services import SERVICES

[USERS] = [service for service in SERVICES if service.name == "users"]
PASSWORD = "correct horse battery staple"  # noqa: S105 (a test's)
ANN = {"handle": "ann", "name": "Ann Reader", "email": "Ann@Example.org", "password": PASSWORD}
BEN = {"handle": "ben", "name": "Ben Lender", "email": "ben@example.org", "password": PASSWORD}
_NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def caller(account: str, *scopes: str, session: str | None = None) -> Caller:
    """Return a person as the gateway names one."""
    return signed_in(account, frozenset(scopes), session)


class Users:
    """One instance of the service. Hashes cost little here."""

    def __init__(
        self,
        callers: Callers | None = None,
        log: Log | None = None,
        table: KeyTable | None = None,
        ids: Ids | None = None,
    ) -> None:
        self.table = MemoryKeyTable()
        self.keyring = Keyring(table or self.table, b"secret of 16 bytes", lambda: _NOW)
        self._callers = callers or SignedCallers(b"secret of the accounts")
        self._shelf = Shelf(log, seals=Seals(self.keyring), services=(), callers=self._callers)
        self.log, self.clock = self._shelf.log, self._shelf.clock
        self.hasher = PasswordHasher(memory_kib=64, passes=1)
        limits = GuessLimits(MemoryCounters(lambda: self.clock.now().timestamp()))
        self.parts = AccountParts(self.hasher, limits)
        service = replace(USERS, load=None, serves=account_routes(self.parts), middleware=(need_accounts,))
        stands_on = self._shelf.infrastructure
        stands_on = replace(stands_on, ids=ids or stands_on.ids)
        self.host = ServiceHost(service, stands_on, "127.0.0.1", service.port)

    async def __aenter__(self) -> Self:
        async with asyncio.timeout(DEADLINE_S):
            await self.host.start()
        return self

    async def __aexit__(self, *fault: object) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.host.stop()
            await self._shelf.close()
        self.hasher.close()

    async def send(
        self,
        method: str,
        target: str,
        body: object = None,
        by: Caller = GUEST,
        **headers: str,
    ) -> Answered:
        """Send a request of a caller, header names with underscores."""
        headers = {"Content_Type": JSON, "User_Agent": "test", "X_Forwarded_For": "10.0.0.1", **headers}
        made = request(method, target, b"" if body is None else msgspec.json.encode(body), **headers)
        return Answered(await self.answer(made, by))

    async def answer(self, made: Request, by: Caller) -> Response:
        """Return the response to a request of a caller."""
        self._callers.sign(by, made)
        async with asyncio.timeout(DEADLINE_S):
            return await self.host.api.handle(made)

    async def register(self, **fields: Any) -> str:  # noqa: ANN401 (JSON)
        """Register a person; return the id of the account."""
        answer = await self.send("POST", "/accounts", {**ANN, **fields})
        assert answer.status == 201, answer.body
        return str(answer.json["id"])

    async def sign_in(self, login: str = "ann", password: str = PASSWORD, **headers: str) -> Answered:
        """Sign in for tokens."""
        return await self.send(
            "POST", "/accounts/login", {"login": login, "password": password}, GUEST, **headers
        )

    async def session_cookie(self, login: str = "ann") -> str:
        """Sign in with a browser; return the value of its session cookie."""
        answer = await self.send(
            "POST", "/accounts/login", {"login": login, "password": PASSWORD, "browser": True}
        )
        assert answer.status == 204, answer.body
        values = answer.headers.getall("Set-Cookie")  # type: ignore[attr-defined]
        return next(str(value) for value in values if value.startswith("session=")).partition(";")[0][8:]

    async def account_of_session(self, session_id: str) -> str | None:
        """Return the account of a session; None if it is over, or those of its time are."""
        ports = self.host._ports  # noqa: SLF001 (what its handlers get)
        session = await ports.state(SESSION, session_id)
        account = await ports.state(ACCOUNT, session.account)
        return session.account if session.is_open and is_valid(session, account) else None

    async def released(self, *logins: str) -> None:
        """Wait until no account holds these handles and addresses."""
        for login in logins:
            claim = login_claim(await self.keyring.make("accounts-claims"), login)
            assert claim is not None
            ports = self.host._ports  # noqa: SLF001 (what its handlers get)
            holder = await ports.state(CLAIM, claim, lambda state: not state.account, DEADLINE_S)
            assert not holder.account

    async def destroyed(self, account: str) -> None:
        """Wait until the key of an account is destroyed."""
        async with asyncio.timeout(DEADLINE_S):
            while account not in await self.keyring.destroyed():  # noqa: ASYNC110 (a table has no event)
                await asyncio.sleep(0)  # sleep: a turn for the connector

    async def caught_up(self) -> None:
        """Wait until the view has what is in the log."""
        async with asyncio.timeout(DEADLINE_S):
            for view in self.host.views.values():
                topic = view.view.topic
                ends = {p: await self.log.end(topic, p) for p in range(self.log.partitions(topic))}
                await view.rows.reach(ends)
