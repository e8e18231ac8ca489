"""One fault, some rounds of it, under load; then what was acknowledged against what is there."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import count
from random import Random

from chaos.kafka.result_table import Row
from chaos.kafka.topic_state import TopicState, check_views, read_topic
from support.client import Client, Reply
from support.fleet import PARTITIONS, Fleet
from support.load import Load, Sent
from support.until import until

#: Seconds within which everything is ready again by itself, whatever the fault was.
RECOVERY_S = 90.0
#: Seconds that a probe waits for its answer, before it asks again.
_PROBE_S = 2.0
SEED = int(os.environ.get("BOOKSHELF_CHAOS_SEED", "20240229"))
ROUNDS = int(os.environ.get("BOOKSHELF_CHAOS_ROUNDS", "1"))


def seeded_random(what: str) -> Random:
    """Return the random moments of a test: the same every time."""
    return Random(f"{SEED} {what}")  # noqa: S311 (no secrets)


class Trial:
    """A fault under load: `under_load` begins a round of it, `recovered` ends it."""

    def __init__(self, fleet: Fleet, fault: str, load: Load) -> None:
        self.fleet = fleet
        self.fault = fault
        self.load = load
        self.seconds: list[float] = []
        #: What was sent beside the load; it is judged as that is.
        self.more: list[Sent] = []
        self.rounds = 0
        self._over: float | None = None
        self._number = count()
        self._last: Reply | None = None

    def under_load(self, commands: int = 50) -> None:
        """Return once so many more commands are acknowledged; then comes the fault."""
        self.load.goes_on(commands)
        self.rounds += 1

    def over(self) -> None:
        """End the fault, or declare it permanent: the seconds until all is ready count from here."""
        self._over = time.monotonic()

    def recovered(self) -> float:
        """Wait until every partition of both aggregates and both views answer; return the seconds."""
        began, self._over = self._over or time.monotonic(), None
        client, served = self.fleet.gateway, set[str]()
        client.answer_s = _PROBE_S
        try:
            until(lambda: self._probe(client, served), f"{self.fault}: all is ready again", RECOVERY_S)
        except AssertionError as never:
            never.add_note(f"served: {sorted(served)}; the last command: {self.more[-1]}; {self._last}")
            raise
        self.seconds.append(time.monotonic() - began)
        return self.seconds[-1]

    def _probe(self, client: Client, served: set[str]) -> bool:
        mark = f"probe {self.fault} {next(self._number)}"
        added = Sent(mark, "POST", "/books", {"title": mark, "author": "probe"}, mark)
        read = self._kept(added, client)
        if read is None:
            return False
        path, said = f"/books/{read}/finished", f"{mark} read"
        finished = Sent(said, "POST", path, {"review": said, "finished": "2023-12-31"}, said)
        if self._kept(finished, client) is None:
            return False
        served.add(added.position.partition("@")[0])
        if len(served) < PARTITIONS:
            return False
        after = {"Bookshelf_After": finished.position}
        return all(client.ask("GET", path, **after).status == 200 for path in ("/books", "/books/last/read"))

    def _kept(self, one: Sent, client: Client) -> str | None:
        """Send it until it is acknowledged, for a probe that may be in the log must be known."""
        self.more.append(one)
        end = time.monotonic() + RECOVERY_S
        while time.monotonic() < end:
            reply = self._last = one.send(client)
            if one.acknowledged:
                return "" if reply is None or reply.status == 204 else str(reply.json["id"])
            if one.refused:
                return None
        return None

    def check(self) -> Row:
        """Read the whole topic; return what became of everything that was sent."""
        sent = [*self.load.sent, *self.more]
        refused = [one for one in sent if one.refused]
        assert not refused, f"refused, with every right: {refused[:3]}"
        unanswered = [one for one in sent if one.key is not None and not one.acknowledged]
        assert not unanswered, f"not answered in the end: {unanswered[:3]}"
        assert not self.load.stale, f"a view did not have what it was asked for: {self.load.stale[:3]}"
        assert not self.load.foreign, (
            f"answered with another command's content: {len(self.load.foreign)}, {self.load.foreign[:3]}"
        )
        state = TopicState(read_topic(self.fleet.broker))
        lost, doubled = state.lost(sent), state.doubled(sent)
        row = self._row(sent, len(lost), len(doubled))
        assert not lost, (row, lost[:5], [state.found(one) for one in lost[:5]])
        assert not doubled, (row, doubled[:5])
        check_views(self.fleet.gateway, state)
        return row

    def _row(self, sent: list[Sent], lost: int, doubled: int) -> Row:
        return Row(
            fault=self.fault,
            rounds=self.rounds,
            acknowledged=sum(one.acknowledged for one in sent),
            retried=len(self.load.failures),
            lost=lost,
            doubled=doubled,
            slowest_s=max(one.waited_s for one in self.load.sent),
            recovered_s=max(self.seconds, default=0.0),
        )


Fault = Callable[[str], AbstractContextManager[Trial]]


@contextmanager
def trial(fleet: Fleet, fault: str, random: Random, table: list[Row], writers: int = 6) -> Iterator[Trial]:
    """Run load on a whole fleet meanwhile, and judge at the end."""
    name = f"{fault} {random.randrange(1 << 32):x}"
    with trial_of(fleet, fault, Load(fleet.gateway, name, random, writers), table) as running:
        yield running


@contextmanager
def trial_of(fleet: Fleet, fault: str, load: Load, table: list[Row]) -> Iterator[Trial]:
    """Run this load on a whole fleet meanwhile, and judge at the end."""
    with load:
        running = Trial(fleet, fault, load)
        yield running
    table.append(running.check())
