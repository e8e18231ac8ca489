"""Sends many commands of a page in bulk requests, under one correlation id: one Undo takes them back."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from bookshelf.site.page_request import PageRequest

CORRELATION = "Bookshelf-Correlation"
#: Commands in one request of the API.
_MOST = 1000
_REFUSED = 400

Item = Mapping[str, Any]


def item(method: str, path: str, body: object = None, **more: Any) -> Item:  # noqa: ANN401 (if_match)
    """Return one command of a bulk request."""
    return {"method": method, "path": path, **({} if body is None else {"body": body}), **more}


def correlation_of(request: PageRequest) -> str:
    """Return the id that joins the changes of a form; the same for a form that is sent twice."""
    key = request.submission.text("_key") if request.submission else ""
    return key if key.isalnum() and key.isascii() else uuid4().hex


async def send_bulk(
    request: PageRequest, path: str, items: Sequence[Item], correlation: str
) -> list[Mapping[str, Any]]:
    """Return the results of commands, in their sequence. Raises `ApiProblem` for a request as a whole."""
    results: list[Mapping[str, Any]] = []
    for start in range(0, len(items), _MOST):
        part = items[start : start + _MOST]
        answer = await request.api.command("POST", path, part, headers={CORRELATION: correlation})
        results += answer.body
    return results


def is_done(result: Mapping[str, Any]) -> bool:
    """Return True if a command was carried out."""
    return int(result["status"]) < _REFUSED
