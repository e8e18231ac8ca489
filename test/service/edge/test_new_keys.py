"""What is looked up for a command that creates: nothing, if no one can have sent it before."""

from typing import Any, NoReturn, cast

import pytest
from support.ports import CountedIds, FixedClock

from bookshelf.runtime.clock import SystemIds
from bookshelf.runtime.edge.commands import CommandEndpoint
from bookshelf.runtime.http.message import request
from bookshelf.runtime.http.problem import Problem
from bookshelf.runtime.owner.command import Sent
from bookshelf.shelf import book

ADD = next(route for route in book.ROUTES if route.creates)
KEY = SystemIds(FixedClock()).new()
DUNE = b'{"title": "Dune", "author": "Frank Herbert"}'


class Host:
    """Keeps what it is asked, and does nothing."""

    def __init__(self) -> None:
        self.asked: list[Sent] = []

    async def ask(self, sent: Sent) -> NoReturn:
        self.asked.append(sent)
        raise Problem("unavailable", "it was only asked")


@pytest.mark.parametrize(
    ("headers", "fresh"),
    [
        ({}, True),
        ({"Idempotency_Key": KEY, "Bookshelf_Try": "1"}, True),
        ({"Idempotency_Key": KEY, "Bookshelf_Try": "2"}, False),
        ({"Idempotency_Key": KEY}, False),
        ({"Idempotency_Key": KEY, "Bookshelf_Try": "1", "Bookshelf_Command": KEY}, False),
    ],
)
async def test_a_key_is_looked_up_unless_it_is_new(headers: dict[str, str], fresh: bool) -> None:  # noqa: FBT001
    host = Host()
    endpoint = CommandEndpoint(ADD, cast("Any", host), FixedClock(), CountedIds(), cast("Any", None))
    with pytest.raises(Problem, match="only asked"):
        await endpoint(request("POST", "/books", DUNE, **headers), {})
    assert [sent.fresh for sent in host.asked] == [fresh]
