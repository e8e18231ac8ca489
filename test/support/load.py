"""Clients that write through the gateway and repeat a command with the same key until it is answered."""

import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPException
from itertools import count
from random import Random
from typing import Any, Self

from support.client import Client, Reply
from support.until import until

#: Seconds before a command is sent again, and between two commands of one writer.
_AGAIN_S = 0.05
_PAUSE_S = 0.005
#: How many of the acknowledged commands are looked for in a view at once.
_LOOKS = 0.2
#: Seconds that a writer waits for an answer. A client with a shorter timeout than the program sends a command
#: while it is still on its way: that, too, must not do it twice.
IMPATIENT_S = 5.0
#: Seconds after which a command that is still not answered is a fault of the program.
PATIENCE_S = 120.0


@dataclass
class Sent:
    """One command. Its mark is in its body, or names its book, and is no other command's.

    `statuses` are all answers that it got, 0 for none; `waited_s` is from the first try to the last answer.
    """

    mark: str
    method: str
    path: str
    body: dict[str, Any] | None
    key: str | None
    statuses: list[int] = field(default_factory=list)
    position: str = ""
    waited_s: float = 0.0

    def send(self, client: Client) -> Reply | None:
        """Send it, once; return the answer if there is one."""
        keyed = {"Idempotency_Key": self.key} if self.key is not None else {}
        try:
            reply = client.ask(self.method, self.path, self.body, **keyed)
        except (OSError, HTTPException):
            self.take(None)
            return None
        self.take(reply)
        return reply

    def take(self, reply: Reply | None) -> None:
        """Keep what was answered; None for no answer."""
        self.statuses.append(0 if reply is None else reply.status)
        if reply is not None and self.acknowledged:
            self.position = reply.headers.get("bookshelf-position", "")

    def foreign(self, reply: Reply) -> bool:
        """Whether an answer of success carries the content of another command."""
        return reply.status in {200, 201} and not self._carried_by(reply)

    def shown_by(self, reply: Reply) -> bool:
        """Whether an answer to a query for its book is of after it."""
        if self.method == "DELETE":
            return reply.status == 404
        return reply.status == 200 and self._carried_by(reply)

    def _carried_by(self, reply: Reply) -> bool:
        book = reply.json
        return self.mark in {book["title"], book.get("notes"), book.get("review")}

    @property
    def acknowledged(self) -> bool:
        """Whether it was answered that it is done."""
        return bool(self.statuses) and 200 <= self.statuses[-1] < 300

    @property
    def refused(self) -> bool:
        """Whether it was refused: nothing that these writers send deserves it."""
        return any(400 <= status < 500 for status in self.statuses)


@dataclass
class Writer:
    """Adds, changes, finishes and removes books of its own, one command after the other."""

    name: str
    client: Client
    random: Random
    sent: list[Sent] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)
    unread: int = 0
    stale: list[tuple[Sent, Reply]] = field(default_factory=list)
    foreign: list[tuple[Sent, Reply]] = field(default_factory=list)

    def run(self, ended: threading.Event) -> None:
        """Send commands until the load ends; a command that was begun is sent until it is answered."""
        for number in count():
            if ended.wait(_PAUSE_S):
                return
            one = self._next(number)
            self.sent.append(one)
            self._through(one)

    def _through(self, one: Sent) -> None:
        began = time.monotonic()
        again = threading.Event()  # never set: to wait without hurry
        while True:
            reply = one.send(self.client)
            if reply is not None and reply.status == 201:
                self.fresh.append(reply.json["id"])
            one.waited_s = time.monotonic() - began
            if reply is not None and one.foreign(reply):
                self.foreign.append((one, reply))
            if reply is not None and one.acknowledged and self.random.random() < _LOOKS:
                self._look(one, reply.json["id"] if one.path == "/books" else one.path.split("/")[2])
            if one.acknowledged or one.refused or one.key is None or one.waited_s > PATIENCE_S:
                return
            again.wait(_AGAIN_S)

    def _look(self, one: Sent, book: str) -> None:
        """Read what was written. It may not be answered now; what is answered must have it."""
        try:
            reply = self.client.ask("GET", f"/books/{book}", Bookshelf_After=one.position)
        except (OSError, HTTPException):
            self.unread += 1
            return
        if reply.status >= 500:
            self.unread += 1
        elif not one.shown_by(reply):
            self.stale.append((one, reply))

    def _next(self, number: int) -> Sent:
        mark = f"{self.name}-{number}"
        key = f"key {mark}" if self.random.random() < 0.9 else None
        if len(self.fresh) < 3 or self.random.random() < 0.4:
            return Sent(mark, "POST", "/books", {"title": mark, "author": self.name}, key)
        book = self.random.choice(self.fresh)
        what = self.random.random()
        if what < 0.5:
            return Sent(mark, "PATCH", f"/books/{book}", {"notes": mark, "pages": number + 1}, key)
        self.fresh.remove(book)  # finished or removed once, and then let be
        if what < 0.9:
            said = {"review": mark, "finished": f"2024-01-{self.random.randint(1, 28):02}"}
            return Sent(mark, "POST", f"/books/{book}/finished", said, key)
        return Sent(f"removed {book}", "DELETE", f"/books/{book}", None, key)


def _random(random: Random) -> Random:
    return Random(random.random())  # noqa: S311 (no secrets)


class Load:
    """Many writers, each on a thread of its own, from the block's beginning to its end."""

    def __init__(self, client: Client, name: str, random: Random, writers: int = 6) -> None:
        client.answer_s = IMPATIENT_S
        self._ended = threading.Event()
        self._writers = [Writer(f"{name}-{n}", client, _random(random)) for n in range(writers)]
        self._threads = [
            threading.Thread(target=one.run, args=(self._ended,), daemon=True) for one in self._writers
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join(PATIENCE_S + 60)

    @property
    def sent(self) -> list[Sent]:
        """Everything that was sent so far."""
        return [one for writer in self._writers for one in list(writer.sent)]

    @property
    def acknowledged(self) -> int:
        """How many commands were acknowledged so far."""
        return sum(one.acknowledged for one in self.sent)

    @property
    def unread(self) -> int:
        """How many commands were looked for in a view that had no answer."""
        return sum(writer.unread for writer in self._writers)

    @property
    def stale(self) -> list[tuple[Sent, Reply]]:
        """What a view answered that did not have the command, though it was asked for it."""
        return [one for writer in self._writers for one in writer.stale]

    @property
    def foreign(self) -> list[tuple[Sent, Reply]]:
        """The answers of success that carry the content of another command."""
        return [one for writer in self._writers for one in writer.foreign]

    @property
    def failures(self) -> list[int]:
        """Every answer so far that was none of success, 0 for one that did not come."""
        return [status for one in self.sent for status in one.statuses if not 200 <= status < 300]

    @property
    def unsure(self) -> set[int]:
        """Those of them that leave open what became of a command: all but 503: nothing did."""
        return set(self.failures) - {503}

    def goes_on(self, commands: int = 50) -> None:
        """Wait until so many more are acknowledged: the load is on."""
        goal = self.acknowledged + commands
        until(lambda: self.acknowledged >= goal, f"{commands} more commands are acknowledged", PATIENCE_S)
