"""What was revoked: sessions that are over, and the least epochs of accounts; followed by a long poll."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace

import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.accounts.users_client import Revoked, UsersClient, UsersFault
from gateway.auth import Identity

#: Seconds for which a revocation is kept: no token lives longer than an hour (bookshelf/accounts).
KEPT_S = 3700.0
#: Seconds without an answer after which the scopes that do most harm are withheld.
BLIND_S = 60.0
WITHHELD = frozenset({"shop:manage", "accounts:admin"})
#: Seconds between two polls, and after a fault.
_PAUSE_S, _AGAIN_S = 0.1, 0.5
_logger = structlog.get_logger(__name__)


class Revocations:
    """The revocations that are known. `answered_at` is the time of the last answer, or of the start."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: dict[str, float] = {}
        self._epochs: dict[str, tuple[float, int]] = {}
        self.answered_at = clock()

    @property
    def age_s(self) -> float:
        """Seconds since the last answer."""
        return self._clock() - self.answered_at

    @property
    def is_blind(self) -> bool:
        """True if there was no answer for so long that recent revocations may be missing."""
        return self.age_s > BLIND_S

    def note(self, sessions: Iterable[str], epochs: Iterable[tuple[str, int]]) -> list[str]:
        """Add what an answer has, and return the sessions and accounts that are new in it.

        What no token that is still valid can be of is forgotten.
        """
        now = self.answered_at = self._clock()
        new = []
        for session in sessions:
            if self._sessions.pop(session, None) is None:
                new.append(session)
            self._sessions[session] = now
        for account, epoch in epochs:
            _, former = self._epochs.pop(account, (now, 0))
            if epoch > former:
                new.append(account)
            self._epochs[account] = now, max(epoch, former)
        while self._sessions and now - next(iter(self._sessions.values())) > KEPT_S:
            del self._sessions[next(iter(self._sessions))]
        while self._epochs and now - next(iter(self._epochs.values()))[0] > KEPT_S:
            del self._epochs[next(iter(self._epochs))]
        return new

    def covers(self, identity: Identity) -> bool:
        """Return True if the session of an identity is over, or its epoch is no longer valid."""
        if identity.session in self._sessions:
            return True
        return identity.epoch < self._epochs.get(identity.actor, (0.0, 0))[1]

    def limit(self, identity: Identity) -> Identity:
        """Return the identity without the scopes that are withheld while revocations are not known."""
        withheld = identity.scopes & WITHHELD
        if not withheld or not self.is_blind:
            return identity
        return replace(identity, scopes=identity.scopes - withheld, withheld=withheld)


class RevocationFollower:
    """Asks `users` again and again, and notes what is answered; `ended` gets what is new in it.

    `known` is set by the first answer.
    """

    def __init__(
        self,
        users: UsersClient,
        revocations: Revocations,
        ended: Callable[[list[str]], None],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._users = users
        self._revocations = revocations
        self._ended = ended
        self._pause = pause
        self._reported = False
        self.known = asyncio.Event()

    async def run(self) -> None:
        """Follow the revocations until cancelled."""
        after: str | None = None
        while True:
            try:
                revoked = await self._users.revocations(after)
            except UsersFault as fault:
                # the next answer has all: the log may have gone back to a backup meanwhile
                after = None
                self._report(fault)
                await self._pause(_AGAIN_S)
            else:
                after = revoked.after
                self._note(revoked)
                await self._pause(_PAUSE_S)

    def _note(self, revoked: Revoked) -> None:
        self._ended(self._revocations.note(revoked.sessions, revoked.epochs.items()))
        self.known.set()
        if self._reported:
            self._reported = False
            _logger.info("revocations-known-again")

    def _report(self, fault: UsersFault) -> None:
        if not self._users.is_there and not self.known.is_set():
            # there may be no such service here at all: then there are no tokens of it either
            self._revocations.note((), ())
        elif self._revocations.is_blind and not self._reported:
            self._reported = True
            _logger.warning("revocations-unknown", why=str(fault), withheld=sorted(WITHHELD))


class RevocationMetrics(Collector):
    """Shows how old the knowledge of revocations is."""

    def __init__(self, revocations: Revocations) -> None:
        self._revocations = revocations

    def collect(self) -> Iterable[Metric]:
        """Yield the metric."""
        name, what = "bookshelf_gateway_revocations_age_seconds", "Seconds since revocations were answered"
        yield GaugeMetricFamily(name, what, value=self._revocations.age_s)
