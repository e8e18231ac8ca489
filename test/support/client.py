"""A client that changes nothing on the way: no normalising, no retries, a connection for each request."""

import json
import time
from http.client import HTTPConnection
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from support.until import until

from bookshelf.cqrs.position import parse_position

#: Seconds that one answer may take before it counts as none, if a client has no other opinion.
ANSWER_S = 40.0
PROBLEM = "application/problem+json"


class Reply(NamedTuple):
    """One answer. Header names are looked up whatever their case."""

    status: int
    headers: dict[str, str]
    content: bytes
    cookies: tuple[str, ...] = ()

    @property
    def json(self) -> Any:  # noqa: ANN401 (any JSON)
        """The body."""
        return json.loads(self.content)

    @property
    def problem(self) -> str:
        """The last word of the problem's type; an AssertionError if the answer is no proper problem."""
        said = self.json
        assert self.headers["content-type"] == PROBLEM
        assert said["status"] == self.status
        assert said["title"]
        assert said["detail"]
        assert "Traceback" not in self.content.decode()
        return str(said["type"]).removeprefix("urn:bookshelf:problem:")

    @property
    def place(self) -> str | None:
        """The place of the first wrong value: a JSON pointer, a parameter or a header."""
        for one in self.json.get("errors", ()):
            return str(one.get("pointer") or one.get("parameter") or one.get("header"))
        return None


def _offset(position: str) -> int:
    return parse_position(position).offset if position else -1


class Client:
    """Speaks to one port. Its queries see what its commands wrote (`Bookshelf-After`).

    `answer_s`: the seconds that one answer may take before it counts as none.
    """

    answer_s = ANSWER_S

    def __init__(self, url: str, prefix: str = "") -> None:
        place = urlsplit(url)
        assert place.hostname is not None
        self.host, self.port, self.prefix = place.hostname, place.port or 80, prefix
        self.position = ""

    def port_of(self, method: str, path: str) -> int:  # noqa: ARG002 (one port serves all)
        """Return the port that a request goes to."""
        return self.port

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Send one request. Bytes are sent as they are, anything else as JSON. Raises OSError."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            named.setdefault("Content-Type", "application/json")
        connection = HTTPConnection(self.host, self.port_of(method, path), timeout=self.answer_s)
        try:
            connection.request(method, self.prefix + path, body, named)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            cookies = tuple(answer.headers.get_all("Set-Cookie", ()))
            return Reply(answer.status, found, answer.read(), cookies)
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        """Ask a query, which waits for this client's own commands as long as it takes.

        A client without commands of its own looks at what others did: its queries wait for all of that.
        """
        headers.setdefault("Bookshelf_After", self.position or "end")
        end = time.monotonic() + ANSWER_S
        while True:
            reply = self.ask("GET", path, **headers)
            if reply.status != 503 or time.monotonic() > end or reply.problem != "behind":
                return reply

    def send(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Send a command, and remember where in the log it stands."""
        reply = self.ask(method, path, body, **headers)
        self.position = max(self.position, reply.headers.get("bookshelf-position", ""), key=_offset)
        return reply

    def post(self, path: str, body: object = None, **headers: str) -> Reply:
        """Send a command."""
        return self.send("POST", path, body, **headers)

    def patch(self, path: str, body: object, **headers: str) -> Reply:
        """Send a change."""
        return self.send("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Reply:
        """Send a removal."""
        return self.send("DELETE", path, **headers)

    def add(self, title: str, author: str = "Ada Example", **fields: object) -> dict[str, Any]:
        """Put a book onto the shelf; return the whole book."""
        reply = self.post("/books", {"title": title, "author": author, **fields})
        assert reply.status == 201, reply
        book: dict[str, Any] = reply.json
        return book

    def books(self, query: str = "") -> list[dict[str, Any]]:
        """Return one page of the list."""
        reply = self.get(f"/books{query}")
        assert reply.status == 200, reply
        found: list[dict[str, Any]] = reply.json
        return found

    def every_book(self, query: str = "?limit=1000") -> list[dict[str, Any]]:
        """Return all books, page after page."""
        return self.every_item(f"/books{query}")

    def every_item(self, path: str) -> list[dict[str, Any]]:
        """Return all items of a list, page after page."""
        found: list[dict[str, Any]] = []
        target: str | None = path
        while target is not None:
            reply = self.get(target)
            assert reply.status == 200, reply
            found += reply.json
            target = self.next_page(reply)
        return found

    def next_page(self, reply: Reply) -> str | None:
        """Return the path of the page after this one, by its Link; None if it is the last."""
        link = reply.headers.get("link")
        if link is None:
            return None
        target, _, rest = link.removeprefix("<").partition(">")
        assert rest == '; rel="next"', link
        assert target.startswith(self.prefix + "/"), link
        return target.removeprefix(self.prefix)

    def wait_for(self, path: str, status: int) -> Reply:
        """Ask until the answer has this status; return it."""
        found: list[Reply] = []

        def asked() -> bool:
            found[:] = [self.get(path)]
            return found[0].status == status

        until(asked, f"GET {path} is answered {status}")
        return found[0]
