"""Clients that write concurrently and record their answers."""

import threading
from dataclasses import dataclass, field
from http.client import HTTPException
from random import Random
from typing import Any, Self

from support.client import Client, Reply


@dataclass
class Attempt:
    """One command: its mark is in its body, or names its book, and is no other command's."""

    mark: str
    method: str
    path: str
    body: dict[str, Any] | None
    key: str | None
    status: int | None = None

    def send(self, client: Client) -> Reply:
        """Send it, or send it again."""
        keyed = {"Idempotency_Key": self.key} if self.key is not None else {}
        reply = client.ask(self.method, self.path, self.body, **keyed)
        self.status = reply.status
        return reply

    @property
    def acknowledged(self) -> bool:
        """Whether it was answered that it is done."""
        return self.status is not None and self.status < 300


@dataclass
class Writer:
    """Adds, changes, reads, finishes and removes books of its own, one command after the other."""

    name: str
    random: Random
    attempts: list[Attempt] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)

    def run(self, client: Client) -> None:
        """Go on until no answer comes."""
        while True:
            attempt = self._next()
            self.attempts.append(attempt)
            try:
                reply = attempt.send(client)
            except (OSError, HTTPException):
                return
            if reply.status == 201 and attempt.path == "/books":
                self.fresh.append(reply.json["id"])

    def _next(self) -> Attempt:
        number = len(self.attempts)
        mark = f"{self.name}-{number}"
        key = f"key {mark}" if self.random.random() < 0.6 else None
        if len(self.fresh) < 3 or self.random.random() < 0.4:
            return Attempt(mark, "POST", "/books", {"title": mark, "author": self.name}, key)
        book = self.random.choice(self.fresh)
        what = self.random.random()
        if what < 0.15:
            past = {"end": "finished", "review": mark, "ended": f"2023-{self.random.randint(1, 12):02}"}
            return Attempt(mark, "POST", f"/books/{book}/readings", past, key)
        if what < 0.25:
            return Attempt(f"entry {book}", "PUT", f"/lists/up-next/books/{book}", {}, key)
        if what < 0.6:
            return Attempt(mark, "PATCH", f"/books/{book}", {"notes": mark, "pages": number + 1}, key)
        self.fresh.remove(book)  # finished or removed once, and then let be
        if what < 0.85:
            said = {"review": mark, "finished": f"2024-01-{self.random.randint(1, 28):02}"}
            return Attempt(mark, "POST", f"/books/{book}/finished", said, key)
        return Attempt(f"removed {book}", "DELETE", f"/books/{book}", None, key)


class WriterGroup:
    """Many writers, each on its own thread."""

    def __init__(self, name: str, random: Random, clients: list[Client], writers: int = 8) -> None:
        self._writers = [
            Writer(f"{name}-{n}", Random(random.random()))  # noqa: S311 (no secrets)
            for n in range(writers)
        ]
        self._threads = [
            threading.Thread(target=writer.run, args=(clients[n % len(clients)],))
            for n, writer in enumerate(self._writers)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    @property
    def attempts(self) -> list[Attempt]:
        """Everything that was sent so far."""
        return [attempt for writer in self._writers for attempt in list(writer.attempts)]

    @property
    def acknowledged(self) -> int:
        """How many commands were acknowledged so far."""
        return sum(attempt.acknowledged for attempt in self.attempts)

    def __exit__(self, *_: object) -> None:
        for thread in self._threads:
            thread.join()
