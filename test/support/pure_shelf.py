"""A shelf made of the deciders alone, without log, views and services: an API client for property tests.

Requests are decoded and decided as the services do it; queries are answered from the folded states.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec

from bookshelf.cqrs.api_client import ApiAnswer
from bookshelf.cqrs.errors import Changed, Refused
from bookshelf.cqrs.handler import RequestContext
from bookshelf.cqrs.message import Event
from bookshelf.cqrs.route import CommandRoute
from bookshelf.http.problem import STATUS, Problem
from bookshelf.runtime.decoding import Decoder
from bookshelf.shelf import book, lists, reading_routes
from bookshelf.shelf.book import BOOK, to_answer
from bookshelf.shelf.events import ListEntryAdded
from bookshelf.shelf.goals import GOAL, GOAL_ROUTES
from bookshelf.shelf.lists import LIST, UP_NEXT
from bookshelf.shelf.reading import READING
from bookshelf.shelf.reading_routes import to_passage_answer, to_reading_answer

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Appended(NamedTuple):
    """An event with the correlation id of its command."""

    event: Event
    correlation: str


class PureShelf:
    """Books as lists of events. `by_hand` sends a request as a reader does, outside of an import."""

    def __init__(self) -> None:
        self.log: dict[str, list[Appended]] = {}
        self.requests: list[tuple[str, str]] = []
        self._answers: dict[str, tuple[object, ApiAnswer]] = {}
        self._numbers = count(1)
        routes = (*book.ROUTES, *reading_routes.ROUTES, *lists.COMMAND_ROUTES, *GOAL_ROUTES)
        self._routes = [(_pattern(route.path), route) for route in routes]

    async def by_hand(self, method: str, target: str, body: object = None) -> ApiAnswer:
        """Send a request with a new key; it is accepted."""
        answer = await self.send(
            method, f"/bookshelf{target}", body or {}, {"Idempotency-Key": f"{next(self._numbers)}"}
        )
        assert answer.status < 300, answer.body
        return answer

    async def send(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> ApiAnswer:
        """Decide a command, or many; a repeated key gets the first answer."""
        if target.endswith("/bulk"):
            return await self._send_all(body, headers)
        self.requests.append((method, target))
        key = headers["Idempotency-Key"]
        if key in self._answers:
            content, first = self._answers[key]
            if content != (method, target, body):
                problem = {"type": "urn:bookshelf:problem:key-reused", "detail": "another content"}
                return first._replace(status=422, body=problem)
            return first._replace(headers={**first.headers, "Idempotency-Replayed": "true"})
        try:
            answer = self._decide(method, target, body, headers)
        except (Refused, Problem) as fault:
            kind = fault.KIND if isinstance(fault, Refused) else fault.kind
            return ApiAnswer(STATUS[kind], {}, {"detail": str(fault)})
        self._answers[key] = ((method, target, body), answer)
        return answer

    async def _send_all(self, items: object, headers: Mapping[str, str]) -> ApiAnswer:
        results: list[dict[str, Any]] = []
        for item in msgspec.json.decode(msgspec.json.encode(items)):
            target = f"/bookshelf{item['path']}"
            own = {"Idempotency-Key": item["key"]}
            if "if_match" in item:
                own["If-Match"] = item["if_match"]
            answer = await self.send(item["method"], target, item.get("body", {}), {**headers, **own})
            location = answer.headers.get("Location", "")
            found = {"id": location.split("/")[2], "location": location} if location else {}
            problem = {"problem": answer.body} if answer.status >= 400 else {}
            replayed = "Idempotency-Replayed" in answer.headers
            etag = {"etag": answer.headers["ETag"]} if "ETag" in answer.headers else {}
            results.append({"status": answer.status, "replayed": replayed, **found, **etag, **problem})
        return ApiAnswer(200, {"Bookshelf-Position": "bookshelf/0@0"}, results)

    def _decide(self, method: str, target: str, body: object, headers: Mapping[str, str]) -> ApiAnswer:
        path, _, query = target.removeprefix("/bookshelf").partition("?")
        found, route = next(
            (found, route)
            for pattern, route in self._routes
            if route.method == method and (found := pattern.fullmatch(path))
        )
        named = found.groupdict()
        context = self._context(route, named, query)
        decoder = Decoder(route.body)
        decoded = decoder.in_utc(decoder.body(msgspec.json.encode(body)))
        subject = route.subject(decoded, context) if route.subject else None
        subject = subject or named.get("id") or f"made-{next(self._numbers)}"
        before, correlation = self.log.get(subject, []), headers.get("Bookshelf-Correlation", "")
        if headers.get("If-Match", self._etag(subject)) != self._etag(subject):
            raise Changed("it has changed since; read it again, then decide anew")
        state = route.aggregate.fold(appended.event for appended in before)
        events = route.aggregate.decide(state, route.command(decoded, context))
        self.log[subject] = [*before, *(Appended(_recorded(event), correlation) for event in events)]
        return self._answer(route, subject, context)

    def _context(self, route: CommandRoute, named: dict[str, str], query: str) -> RequestContext:
        fields = {field.encode_name for field in msgspec.structs.fields(route.params)}
        params = None
        if fields:
            given = {name: value for name, value in named.items() if name in fields}
            params = Decoder(route.params).parameters(given, query)
        return RequestContext(at=NOW, params=params)

    def _answer(self, route: CommandRoute, subject: str, context: RequestContext) -> ApiAnswer:
        state = self._fold(route.aggregate, subject)
        answer = None
        if route.answer is not None:
            answer = route.answer(subject, state)
        elif route.part is not None:
            answer = route.part(subject, state, context)
        headers = {"Bookshelf-Position": "bookshelf/0@0", "ETag": self._etag(subject)}
        location = route.location or (f"{route.path}/{{id}}" if route.creates else None)
        if location is not None:
            headers["Location"] = location.format(id=subject, body=answer)
        return ApiAnswer(route.status, headers, answer and _as_json(answer))

    def _etag(self, subject: str) -> str:
        return f'"{len(self.log.get(subject, [])) - 1}"'

    def _fold(self, aggregate: Any, subject: str) -> Any:  # noqa: ANN401 (any aggregate and its state)
        return aggregate.fold(appended.event for appended in self.log.get(subject, []))

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> ApiAnswer:
        """Answer a query; a shelf of deciders has caught up with every position."""
        del headers
        path, _, query = target.removeprefix("/bookshelf").partition("?")
        for pattern, answer in _QUERIES:
            if (found := re.fullmatch(pattern, path)) is not None:
                return answer(self, query, *found.groups())
        return ApiAnswer(404, {}, {"detail": "there is no such route"})

    def _books(self, query: str) -> ApiAnswer:
        removed = "removed=true" in query
        states = ((id_, self._fold(BOOK, id_)) for id_ in self.log)
        listed = [
            (id_, state) for id_, state in states if state.added is not None and state.removed == removed
        ]
        listed.sort(key=lambda each: (each[1].added, each[0]))
        return _ok([to_answer(id_, state) for id_, state in listed])

    def _book(self, _query: str, book_id: str) -> ApiAnswer:
        state = self._fold(BOOK, book_id)
        if not state.here:
            return ApiAnswer(404, {}, {"detail": "there is no such book on the shelf"})
        return ApiAnswer(200, {"ETag": self._etag(book_id)}, _as_json(to_answer(book_id, state)))

    def _lists(self, _query: str) -> ApiAnswer:
        states = {id_: self._fold(LIST, id_) for id_ in (UP_NEXT, *self.log) if id_ != UP_NEXT or self.log}
        known = {id_: state for id_, state in states.items() if state.created or id_ == UP_NEXT}
        known = {id_: state for id_, state in known.items() if not state.removed}
        return _ok([{"id": id_, "name": state.name, "count": 0} for id_, state in known.items()])

    def _list(self, _query: str, list_id: str) -> ApiAnswer:
        state = self._fold(LIST, list_id)
        if state.removed or not (state.created or list_id == UP_NEXT):
            return ApiAnswer(404, {}, {"detail": "there is no such list"})
        put = [each.event for each in self.log.get(list_id, []) if isinstance(each.event, ListEntryAdded)]
        added = {event.book: event.added or NOW for event in put}
        here = {id_: book for id_ in state.ranks if (book := self._fold(BOOK, id_)).here}
        entries = [
            {"added": added[id_].isoformat(), "book": to_answer(id_, book)} for id_, book in here.items()
        ]
        return _ok({"id": list_id, "name": state.name, "entries": entries})

    def _of_books(self) -> Iterator[tuple[str, Any]]:
        """Yield the state of READING of the books that are on the shelf, by id."""
        for id_ in self.log:
            if self._fold(BOOK, id_).here:
                yield id_, self._fold(READING, id_)

    def _readings(self, _query: str) -> ApiAnswer:
        listed = [
            {**msgspec.to_builtins(to_reading_answer(number, state.readings.by_number[number])), "book": id_}
            for id_, state in self._of_books()
            for number in state.readings.in_order
        ]
        return _ok(sorted(listed, key=lambda each: each.get("ended", ""), reverse=True))

    def _passages(self, _query: str) -> ApiAnswer:
        listed = [
            {**msgspec.to_builtins(to_passage_answer(number, passage)), "book": id_}
            for id_, state in self._of_books()
            for number, passage in state.passages.by_number.items()
        ]
        return _ok(listed)

    def _stats(self, _query: str) -> ApiAnswer:
        keys = sorted(key for key in self.log if key.startswith("goal-"))
        goals = [(key, self._fold(GOAL, key).goal) for key in keys]
        known = [{"year": int(key[5:]), "books": goal.books, "pages": goal.pages} for key, goal in goals]
        return _ok({"goals": [each for each in known if each["books"] or each["pages"]]})

    def _changes(self, query: str) -> ApiAnswer:
        (subject,) = parse_qs(query)["book"]
        newest = reversed(self.log.get(subject, []))
        return _ok(
            [{"events": [{"type": each.event.TYPE}], "correlation": each.correlation} for each in newest]
        )

    def _history(self, _query: str, book_id: str) -> ApiAnswer:
        events = [
            {
                "type": each.event.TYPE,
                "time": NOW,
                "position": f"bookshelf/0@{offset}",
                "data": msgspec.to_builtins(each.event),
                "correlation": each.correlation,
            }
            for offset, each in enumerate(self.log.get(book_id, []))
        ]
        return _ok(events)


_QUERIES: tuple[tuple[str, Callable[..., ApiAnswer]], ...] = (
    ("/books", PureShelf._books),  # noqa: SLF001 (its own module)
    ("/books/([^/]+)", PureShelf._book),  # noqa: SLF001 (its own module)
    ("/books/([^/]+)/history", PureShelf._history),  # noqa: SLF001 (its own module)
    ("/readings", PureShelf._readings),  # noqa: SLF001 (its own module)
    ("/passages", PureShelf._passages),  # noqa: SLF001 (its own module)
    ("/stats", PureShelf._stats),  # noqa: SLF001 (its own module)
    ("/changes", PureShelf._changes),  # noqa: SLF001 (its own module)
    ("/lists", PureShelf._lists),  # noqa: SLF001 (its own module)
    ("/lists/([^/]+)", PureShelf._list),  # noqa: SLF001 (its own module)
)


def _recorded(event: Event) -> Event:
    """Return the event as it is read back: an older type as the newer one."""
    read = BOOK.catalogue.decode(event.TYPE, msgspec.json.encode(event))
    assert read is not None
    return read


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))


def _as_json(value: object) -> Any:  # noqa: ANN401 (JSON)
    return msgspec.json.decode(msgspec.json.encode(value))


def _ok(items: object) -> ApiAnswer:
    return ApiAnswer(200, {}, _as_json(items))
