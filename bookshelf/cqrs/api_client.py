"""The port of a client of the HTTP API, for the code of a context that is a client itself, like an import."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl


class ApiAnswer(NamedTuple):
    """An answer: status, headers, and the body as read from JSON (None if there is none)."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def detail(self) -> str:
        """The detail of a problem, or else the status."""
        if not isinstance(self.body, dict) or "detail" not in self.body:
            return f"{self.status}"
        return str(self.body["detail"])

    @property
    def next_page(self) -> str | None:
        """The target of the page after this one; None if this is the last."""
        link = self.headers.get("Link", "")
        return link[1 : link.index(">")] if 'rel="next"' in link else None

    @property
    def cursor(self) -> str | None:
        """The parameter `after` of the page after this one; None if this is the last."""
        query = (self.next_page or "").partition("?")[2]
        return next((value for name, value in parse_qsl(query) if name == "after"), None)

    @property
    def total(self) -> int:
        """How many items a list has on all its pages together; 0 if it is not counted."""
        return int(self.headers.get("Bookshelf-Count", "0"))

    @property
    def version(self) -> str | None:
        """The entity tag, for If-Match."""
        return self.headers.get("ETag")

    @property
    def change(self) -> str | None:
        """The id of the change that a command has made; None if it has made none."""
        return self.headers.get("Bookshelf-Change")


class ApiClient(Protocol):
    """Sends requests to the API, and repeats them while it is busy; its user need not handle an outage."""

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> ApiAnswer:
        """Return the answer to a query."""

    async def send(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> ApiAnswer:
        """Return the answer to a command; `headers` has its Idempotency-Key."""
