"""Routes with sessions on several nodes: what one node has written, every other one reads."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest
from support.session_nodes import HEADER, SessionNode, cluster, node, replicated, without_domain
from support.shelf import Shelf
from support.stateful import SESSIONS, stateful
from support.until import eventually

from bookshelf.cluster.session_parts import PARTS
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.errors import Conflict
from bookshelf.cqrs.handler import Caller
from bookshelf.cqrs.position import Position
from bookshelf.http.message import Request, request
from bookshelf.runtime.agent.sessions import ReplicatedSessions
from bookshelf.runtime.api.identity import LocalReader
from bookshelf.runtime.api.session_routes import session_key

if TYPE_CHECKING:
    from bookshelf.runtime.api.session_store import SessionStore

SAMPLE = {"value": "Sample session data"}


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with cluster() as shelf:
        yield shelf


async def opened(at: SessionNode) -> tuple[str, str]:
    """Set the value; return the id of the session, and the position."""
    answer = await at.send("PUT", "value", SAMPLE)
    assert answer.status == 204
    return answer.headers[HEADER], answer.headers["Bookshelf-Position"]


async def test_a_value_that_was_set_on_one_node_is_read_on_another(shelf: Shelf) -> None:
    async with node(shelf, 1) as first, node(shelf, 2) as second:
        session, position = await opened(first)
        for at in (second, first):
            answer = await at.send("GET", "value", session=session, Bookshelf_After=position)
            assert (answer.status, answer.json) == (200, SAMPLE)
            assert HEADER not in answer.headers


async def test_a_session_outlives_the_node_that_opened_it(shelf: Shelf) -> None:
    async with node(shelf, 1) as first:
        session, _ = await opened(first)
    async with node(shelf, 2) as second:
        assert (await second.send("GET", "value", session=session)).json == SAMPLE


async def test_a_node_that_has_not_read_a_session_yet_looks_to_the_end_of_the_log(shelf: Shelf) -> None:
    async with node(shelf, 1) as first, node(shelf, 2) as second:
        session, _ = await opened(first)
        assert (await second.send("GET", "value", session=session)).json == SAMPLE


async def test_without_a_domain_the_value_is_absent_on_another_node(shelf: Shelf) -> None:
    async with (
        node(shelf, 1, without_domain(shelf)) as first,
        node(shelf, 2, without_domain(shelf)) as second,
    ):
        answer = await first.send("PUT", "value", SAMPLE)
        session = answer.headers[HEADER]
        assert (await first.send("GET", "value", session=session)).json == SAMPLE
        assert (await second.send("GET", "value", session=session)).json == {"value": None}


async def test_a_session_of_another_domain_is_unknown(shelf: Shelf) -> None:
    async with node(shelf, 1) as blue, node(shelf, 2, replicated(shelf, "green")) as green:
        session, position = await opened(blue)
        answer = await green.send("GET", "value", session=session, Bookshelf_After=position)
        assert answer.json == {"value": None}
        again = await green.send("PUT", "value", {"value": "green"}, session=session)
        assert again.headers[HEADER] != session
        assert (await blue.send("GET", "value", session=session)).json == SAMPLE


async def test_the_client_may_keep_a_cookie(shelf: Shelf) -> None:
    async with node(shelf, 1) as first:
        plain = await first.send("PUT", "value", SAMPLE)
        session = plain.headers[HEADER]
        assert plain.headers["Set-Cookie"] == f"bookshelf-client={session}; Path=/; HttpOnly; SameSite=Lax"
        by_cookie = await first.send("GET", "value", Cookie=f"a=b; bookshelf-client={session}")
        assert by_cookie.json == SAMPLE
        secure = await first.send("PUT", "value", SAMPLE, X_Forwarded_Proto="https")
        assert secure.headers["Set-Cookie"].startswith("__Host-bookshelf-client=")
        assert secure.headers["Set-Cookie"].endswith("; Secure")
        cookie = f"__Host-bookshelf-client={secure.headers[HEADER]}"
        answer = await first.send("GET", "value", Cookie=cookie, X_Forwarded_Proto="https")
        assert answer.json == SAMPLE


@pytest.mark.parametrize("invented", ["x" * 43, "x" * 10_000, "", "../..", "short"])
async def test_ids_are_never_taken_from_the_client(shelf: Shelf, invented: str) -> None:
    async with node(shelf, 1) as first:
        answer = await first.send("PUT", "value", SAMPLE, **{HEADER.replace("-", "_"): invented})
        assert answer.status == 204
        assert answer.headers[HEADER] != invented
        nothing = await first.send("GET", "value", session=invented)
        assert nothing.json == {"value": None}
        assert HEADER not in nothing.headers


class NamedCaller(LocalReader):
    """Requests come from the person that they name."""

    def of(self, request: Request) -> Caller:
        name = request.headers.get("Bookshelf-Actor")
        return Caller(actor=name or "reader", account=name)


async def test_a_session_belongs_to_the_caller_that_opened_it(shelf: Shelf) -> None:
    async with node(shelf, 1, callers=NamedCaller()) as first:
        answer = await first.send("PUT", "value", SAMPLE, Bookshelf_Actor="ann")
        session = answer.headers[HEADER]
        mine = await first.send("GET", "value", session=session, Bookshelf_Actor="ann")
        assert mine.json == SAMPLE
        other = await first.send("GET", "value", session=session, Bookshelf_Actor="ben")
        assert other.json == {"value": None}
        changed = await first.send("PUT", "value", {"value": "x"}, session=session, Bookshelf_Actor="ben")
        assert changed.headers[HEADER] != session
        assert (await first.send("GET", "value", session=session, Bookshelf_Actor="ann")).json == SAMPLE


@pytest.mark.parametrize("path", ["count", "shared"])
async def test_no_increment_of_clients_on_three_nodes_is_lost(shelf: Shelf, path: str) -> None:
    async with node(shelf, 1) as first, node(shelf, 2) as second, node(shelf, 3) as third:
        session, position = await opened(first)
        done = 0

        async def count(at: SessionNode, times: int) -> None:
            nonlocal done
            for _ in range(times):
                answer = await at.send("POST", path, session=session, Bookshelf_After=position)
                assert answer.status in {200, 409}
                done += answer.status == 200

        await asyncio.gather(*(count(at, 10) for at in (first, second, third)))
        assert done
        for at in (first, second, third):
            last = await at.send("POST", path, session=session, Bookshelf_After="end")
            done += 1
            assert last.json == {"count": done}


async def test_the_copies_of_all_nodes_are_equal_at_rest(shelf: Shelf) -> None:
    async with node(shelf, 1) as first, node(shelf, 2) as second:
        session, _ = await opened(first)
        for at in (first, second, first):
            await at.send("POST", "count", session=session)
        key = session_key(session)
        states = [await at.store.read(PARTS.session, key, to_end=True) for at in (first, second)]
        assert states[0] == states[1]
        assert states[0].content.values["group/stateful/count"].json == "3"


async def test_excluded_values_stay_on_their_node(shelf: Shelf) -> None:
    async with node(shelf, 1) as first, node(shelf, 2) as second:
        answer = await first.send("POST", "here")
        session = answer.headers[HEADER]
        assert (await first.send("POST", "here", session=session)).json == {"count": 2}
        assert (await second.send("POST", "here", session=session, Bookshelf_After="end")).json == {
            "count": 1
        }
    async with node(shelf, 1) as again:  # lost with the process
        assert (await again.send("POST", "here", session=session)).json == {"count": 1}


async def test_a_session_that_an_operator_has_closed_stays_closed(shelf: Shelf) -> None:
    async with node(shelf, 1) as first:
        session, _ = await opened(first)
        closed = await shelf.hosts["sessions"].api.handle(
            request("DELETE", f"/cluster/sessions/{session_key(session)}")
        )
        assert closed.status == 204
        position = closed.headers["Bookshelf-Position"]
        answer = await first.send("GET", "value", session=session, Bookshelf_After=position)
        assert answer.json == {"value": None}
        # a late request, whose node has not read the end of the session yet, gets a new one
        late = await first.send("PUT", "value", {"value": "late"}, session=session)
        assert late.headers[HEADER] != session


async def test_a_session_ends_after_its_idle_time_unless_it_is_used(shelf: Shelf) -> None:
    async with node(shelf, 1, replicated(shelf, idle_s=30.0)) as first:
        used, _ = await opened(first)
        unused, _ = await opened(first)

        async def is_gone(session: str) -> bool:
            state = await first.store.read(PARTS.session, session_key(session), to_end=True)
            return bool(state.closed)

        for _ in range(3):
            shelf.clock.move(timedelta(seconds=15))
            assert (await first.send("GET", "value", session=used, Bookshelf_After="end")).json == SAMPLE
        await eventually(lambda: is_gone(unused), "the unused session is closed")
        assert (await first.send("GET", "value", session=unused)).json == {"value": None}
        assert not await is_gone(used)


async def test_a_repeated_request_is_carried_out_once(shelf: Shelf) -> None:
    async with node(shelf, 1) as first:
        session, _ = await opened(first)
        for _ in range(2):
            answer = await first.send("POST", "count", session=session, Idempotency_Key="once")
            assert answer.status == 200
        assert answer.headers["Idempotency-Replayed"] == "true"
        assert (await first.send("POST", "count", session=session, Bookshelf_After="end")).json == {
            "count": 2
        }
        reused = await first.send("PUT", "value", {"value": "a"}, session=session, Idempotency_Key="v")
        assert reused.status == 204
        other = await first.send("PUT", "value", {"value": "b"}, session=session, Idempotency_Key="v")
        assert other.status == 422


async def test_what_a_session_may_not_have_is_refused(shelf: Shelf) -> None:
    async with node(shelf, 1) as first:
        large = await first.send("PUT", "value", {"value": "x" * 65 * 1024})
        assert (large.status, large.json["type"]) == (413, "urn:bookshelf:problem:too-large")
        both = await first.send("POST", "both")
        assert both.status == 500


@pytest.mark.parametrize(
    ("scope", "second_client", "later"), [("request", 1, 1), ("session", 1, 2), ("application", 2, 3)]
)
async def test_the_scope_decides_what_is_kept(
    shelf: Shelf, scope: Literal["request", "session", "application"], second_client: int, later: int
) -> None:
    async with node(shelf, 1, service=stateful(replace(SESSIONS, scope=scope))) as first:
        one = await first.send("POST", "count")
        assert one.json == {"count": 1}
        assert (HEADER in one.headers) is (scope == "session")
        two = await first.send("POST", "count", Bookshelf_After="end")
        assert two.json == {"count": second_client}
        mine = one.headers.get(HEADER, "")
        again = await first.send("POST", "count", session=mine, Bookshelf_After="end")
        assert again.json == {"count": later}


async def test_the_view_lists_sizes_and_ages_and_no_contents(shelf: Shelf) -> None:
    async with node(shelf, 1) as first:
        session, position = await opened(first)
    asked = request("GET", "/cluster/sessions?service=stateful", Bookshelf_After=position)
    answer = await shelf.hosts["sessions"].api.handle(asked)
    assert isinstance(answer.body, bytes)
    assert b"Sample" not in answer.body
    assert session.encode() not in answer.body
    assert session_key(session).encode() in answer.body


class NotedReads:
    """A store that notes what its reads wait for."""

    def __init__(self, store: ReplicatedSessions) -> None:
        self._store = store
        self.waits: list[str] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (what a store has)
        return getattr(self._store, name)

    async def read(
        self,
        aggregate: Any,  # noqa: ANN401 (as a store)
        key: str,
        after: Iterable[Position] = (),
        *,
        to_end: bool = False,
    ) -> Any:  # noqa: ANN401 (as above)
        self.waits += map(str, after)
        return await self._store.read(aggregate, key, after, to_end=to_end)


@pytest.mark.parametrize("reads", ["positions", "local"])
async def test_a_local_read_does_not_wait_for_what_the_client_has_seen(
    shelf: Shelf, reads: Literal["positions", "local"]
) -> None:
    store = NotedReads(replicated(shelf))
    service = stateful(replace(SESSIONS, reads=reads))
    async with (
        node(shelf, 1) as first,
        node(shelf, 2, cast("SessionStore", store), service) as second,
    ):
        session, position = await opened(first)
        answer = await second.send("GET", "value", session=session, Bookshelf_After=position)
        assert answer.status == 200
        assert set(store.waits) == ({position} if reads == "positions" else set())


class Contended:
    """A store in which another has always changed what a request has read."""

    def __init__(self, store: ReplicatedSessions) -> None:
        self._store = store
        self.is_contended = False
        self.asked = 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (what a store has)
        return getattr(self._store, name)

    async def ask(self, *given: Any, **named: Any) -> CommandResult:  # noqa: ANN401 (as a store)
        if self.is_contended:
            self.asked += 1
            raise Conflict("another has changed it")
        return await self._store.ask(*given, **named)


async def test_a_request_is_tried_five_times_more_then_it_is_a_conflict(shelf: Shelf) -> None:
    store = Contended(replicated(shelf))
    async with node(shelf, 1, cast("SessionStore", store)) as first:
        session, _ = await opened(first)
        store.is_contended = True
        answer = await first.send("PUT", "value", {"value": "other"}, session=session)
        assert (answer.status, store.asked) == (409, 6)
        assert "after 6 attempts nothing was done" in answer.json["detail"]
        store.is_contended = False
        assert (await first.send("GET", "value", session=session)).json == SAMPLE
