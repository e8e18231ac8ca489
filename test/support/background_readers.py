"""Clients that add books while parts are killed and replaced, and retry commands without an answer."""

import threading
import time
from http.client import HTTPException
from typing import Self

from support.client import Client

#: Seconds for which one book is tried again; the longest that anything here is away.
_PATIENCE_S = 180.0
_PAUSE_S = 0.2


class BackgroundReaders:
    """Writers on their own threads, from enter to exit; each book has its own Idempotency-Key.

    A subclass writes something else. `ids` are those of what was acknowledged.
    """

    path = "/books"

    def __init__(self, url: str, name: str, writers: int = 4) -> None:
        self.acknowledged: list[str] = []
        self.ids: list[str] = []
        self.retries = 0
        self.failed: list[str] = []
        self._url = url
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(f"{name}-{number}",)) for number in range(writers)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def body(self, title: str) -> object:
        """Return what is sent under a key."""
        return {"title": title, "author": "Ada Example"}

    def _write(self, name: str) -> None:
        client = Client(self._url, "/bookshelf")
        number = 0
        while not self._over.is_set():
            title = f"{name}-{number}"
            (self.acknowledged if self._added(client, title) else self.failed).append(title)
            number += 1

    def _added(self, client: Client, title: str) -> bool:
        end = time.monotonic() + _PATIENCE_S
        while time.monotonic() < end:
            try:
                reply = client.ask("POST", self.path, self.body(title), Idempotency_Key=title)
            except (OSError, HTTPException):
                reply = None
            if reply is not None and reply.status == 201:
                self.ids.append(reply.json["id"])
                return True
            self.retries += 1
            time.sleep(_PAUSE_S)  # sleep: as a client waits before it tries again
        return False

    def more(self, count: int) -> bool:
        """Whether so many more books than now have come to be acknowledged, waiting for them."""
        wanted = len(self.acknowledged) + count
        end = time.monotonic() + _PATIENCE_S
        while len(self.acknowledged) < wanted and time.monotonic() < end:
            time.sleep(_PAUSE_S)  # sleep: between two looks at the count
        return len(self.acknowledged) >= wanted
