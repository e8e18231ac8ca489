"""The parts of a gateway with accounts: the tokens that it accepts, sessions, and revocations."""

import asyncio
import time
from collections.abc import Callable

from gateway.accounts.issuer import AccountTokens, TokensByIssuer
from gateway.accounts.revocations import RevocationFollower, RevocationMetrics, Revocations
from gateway.accounts.sessions import BrowserSessions
from gateway.accounts.streams import SessionStreams
from gateway.accounts.users_client import UsersClient
from gateway.auth import Verifier


class GatewayAccounts:
    """Verifies the tokens of our own `issuer`, and of another one if `other` does; follows revocations."""

    def __init__(
        self,
        users: UsersClient,
        issuer: str,
        other: Verifier | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        revocations = Revocations()
        own = AccountTokens(users, issuer, revocations, now)
        self.verifier: Verifier = own if other is None else TokensByIssuer(issuer, own, other)
        self.sessions = BrowserSessions(users, own, now)
        self.metrics = RevocationMetrics(revocations)
        self._users = users
        self.streams = SessionStreams()
        self._follower = RevocationFollower(users, revocations, self.streams.end)

    def follow(self) -> "asyncio.Task[None]":
        """Start to follow the revocations."""
        return asyncio.create_task(self._follower.run(), name="revocations")

    async def known(self) -> None:
        """Wait until the revocations are known, if the service that has them is ready."""
        if self._users.is_there:
            await self._follower.known.wait()

    async def close(self) -> None:
        """Cancel the exchanges under way."""
        await self.sessions.close()
