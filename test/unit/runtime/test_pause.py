"""A service that is paused for a rollout: what is in progress ends before, or is named."""

import asyncio

import pytest

from bookshelf.http.message import Request, Response, request
from bookshelf.http.problem import Problem
from bookshelf.runtime.agent.gate import Admissions, NotDrained
from bookshelf.runtime.agent.pause import Pause, ServiceGate
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.api.identity import LocalReader


async def test_requests_in_progress_end_before_the_pause_or_their_routes_are_named() -> None:
    gate = ServiceGate("lists", PolicyGate(LocalReader()), lambda _service: 3, Admissions(b"key"))
    other = ServiceGate("newbook", PolicyGate(LocalReader()), lambda _service: 3, Admissions(b"key"))
    pause = Pause({"lists": gate, "newbook": other})
    pause.admit()
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def answer(_request: Request, _path: object) -> Response:
        begun.set()
        await may_end.wait()
        return Response(200, {})

    asking = asyncio.create_task(gate.around(answer, "/lists/{id}", request("PUT", "/lists/1", b""), {}))
    await begun.wait()
    pause.refuse("r1", {"lists"})
    with pytest.raises(NotDrained, match=r"in progress after 0.01 s: lists: PUT /lists/\{id\}"):
        await pause.drain(0.01)
    with pytest.raises(Problem) as refused:
        await gate.around(answer, "/lists", request("GET", "/lists"), {})
    assert (refused.value.kind, refused.value.headers["Retry-After"]) == ("reloading", "1")
    may_end.set()
    assert (await asking).headers["Bookshelf-Revision"] == "3"  # it was admitted before
    await pause.drain(10.0)
    assert (await other.around(answer, "/books", request("GET", "/books"), {})).status == 200
