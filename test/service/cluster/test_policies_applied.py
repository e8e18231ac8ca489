"""Policies at a running service: what each field does, and that undoing restores everything."""

from collections.abc import AsyncIterator

import pytest
import structlog
from support.shelf import DUNE, Shelf

from bookshelf.cli.domain_kinds import make_kinds
from bookshelf.cqrs.handler import Caller
from bookshelf.cqrs.item import ItemChange, ItemProblem, digest_of
from bookshelf.http.message import request
from bookshelf.runtime.agent.deployment import Deployment
from bookshelf.runtime.agent.item import ItemKind, ItemRefused, LoadedItem
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.api.identity import SignedCallers


class Domain:
    """The services of the shelf with a gate for each, and the kind of items that changes them."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self.gates = {name: PolicyGate(shelf.infrastructure.callers) for name in shelf.hosts}
        for name, host in shelf.hosts.items():
            host.api.around = self.gates[name].around
        self.policies: ItemKind = make_kinds([h.service for h in shelf.hosts.values()], self.gates)["policy"]

    async def apply(self, service: str, text: str | None) -> LoadedItem:
        loaded = await self.policies.load(put(service, text))
        await loaded.deploy()
        return loaded

    async def add(self, title: str = "Dune") -> int:
        return (await self.shelf.send("POST", "/books", DUNE | {"title": title})).status


def put(service: str, text: str | None) -> ItemChange:
    if text is None:
        return ItemChange("policy", service, "remove")
    return ItemChange("policy", service, "put", digest_of(text.encode()), text)


@pytest.fixture
async def domain() -> AsyncIterator[Domain]:
    async with Shelf() as shelf:
        yield Domain(shelf)


async def test_without_a_policy_requests_pass(domain: Domain) -> None:
    assert await domain.add() == 201


async def test_a_closed_service_answers_with_its_message_and_is_open_again_after_undo(domain: Domain) -> None:
    loaded = await domain.apply("newbook", 'state = "closed"\nmessage = "Counting."\nretry_after_s = 300\n')
    answer = await domain.shelf.send("POST", "/books", DUNE)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "300")
    assert answer.json["detail"] == "Counting."
    health = request("GET", "/health/ready")
    assert (await domain.shelf.hosts["newbook"].api.handle(health)).status == 200
    await loaded.undo()
    assert await domain.add() == 201


async def test_a_closed_command_is_refused_in_a_bulk_request_too(domain: Domain) -> None:
    await domain.apply("newbook", '[route."POST /books"]\nstate = "closed"\n')
    answer = await domain.shelf.send(
        "POST", "/books/bulk", [{"method": "POST", "path": "/books", "body": DUNE}]
    )
    assert (answer.status, answer.json[0]["status"]) == (200, 503)


async def test_a_read_only_service_answers_queries_alone(domain: Domain) -> None:
    await domain.apply("booklist", 'state = "read-only"\n')
    await domain.apply("newbook", 'state = "read-only"\n')
    assert (await domain.shelf.send("GET", "/books")).status == 200
    assert await domain.add() == 503


async def test_a_rate_admits_so_many_requests_and_undo_restores_its_count(domain: Domain) -> None:
    first = await domain.apply("newbook", 'rate = "2/hour"\n')
    assert [await domain.add(title) for title in "abc"] == [201, 201, 429]
    second = await domain.apply("newbook", 'rate = "100/hour"\n')
    assert await domain.add("d") == 201
    await second.undo()
    assert await domain.add("e") == 429
    await first.undo()
    assert await domain.add("f") == 201


async def test_only_one_route_has_the_limit_of_its_table(domain: Domain) -> None:
    await domain.apply("newbook", '[route."POST /books"]\nbody_bytes = 10\n')
    assert await domain.add() == 413
    assert (await domain.shelf.send("DELETE", "/books/none")).status == 404


async def test_a_larger_body_is_refused_without_a_length_too(domain: Domain) -> None:
    await domain.apply("newbook", "body_bytes = 10\n")
    sent = request("POST", "/books", b'{"title": "Dune"}', Content_Type="application/json")
    assert (await domain.shelf.hosts["newbook"].api.handle(sent)).status == 413


async def test_answers_may_be_kept_for_the_seconds_of_the_policy(domain: Domain) -> None:
    before = (await domain.shelf.send("GET", "/books")).headers.get("Cache-Control")
    loaded = await domain.apply("booklist", "cache_s = 5\n")
    assert (await domain.shelf.send("GET", "/books")).headers["Cache-Control"] == "private, max-age=5"
    assert (await domain.shelf.send("HEAD", "/books")).headers["Cache-Control"] == "private, max-age=5"
    await loaded.undo()
    assert (await domain.shelf.send("GET", "/books")).headers.get("Cache-Control") == before


async def test_a_deadline_is_the_shorter_one_of_policy_and_request(domain: Domain) -> None:
    await domain.apply("newbook", "deadline_s = 5\n")
    assert await domain.add() == 201
    answer = await domain.shelf.send("POST", "/books", DUNE, Bookshelf_Time_Left="0")
    assert answer.status == 504


async def test_a_policy_adds_scopes_and_takes_none_away() -> None:
    callers = SignedCallers(b"secret" * 4)
    async with Shelf(callers=callers) as shelf:
        domain = Domain(shelf)
        await domain.apply("booklist", 'requires = ["books:audit"]\n')

        async def status(*scopes: str) -> int:
            sent = request("GET", "/books")
            callers.sign(Caller(actor="ann", account="ann", owner="ann", scopes=frozenset(scopes)), sent)
            return (await shelf.edge("GET", "/books").handle(sent)).status

        assert await status("read", "books:audit") == 200
        assert await status("read") == 403
        assert await status("books:audit") == 403


async def test_a_removed_policy_leaves_none(domain: Domain) -> None:
    await domain.apply("newbook", 'state = "closed"\n')
    loaded = await domain.apply("newbook", None)
    assert await domain.add() == 201
    await loaded.undo()
    assert await domain.add() == 503


async def test_the_log_level_is_that_of_the_policy_until_it_is_undone_or_removed(domain: Domain) -> None:
    before = structlog.get_config()["wrapper_class"]
    first = await domain.apply("newbook", 'log_level = "error"\n')
    second = await domain.apply("readbook", 'log_level = "debug"\n')
    changed = structlog.get_config()["wrapper_class"]
    assert changed is not before
    await second.undo()
    await first.undo()
    assert structlog.get_config()["wrapper_class"] is before
    await domain.apply("newbook", 'log_level = "error"\n')
    await domain.apply("newbook", None)
    assert structlog.get_config()["wrapper_class"] is before


async def test_nothing_is_changed_by_what_was_only_loaded(domain: Domain) -> None:
    loaded = await domain.policies.load(put("newbook", 'state = "closed"\n'))
    assert await domain.add() == 201
    await loaded.undo()
    assert domain.gates["newbook"].policy is None


async def test_a_wrong_policy_is_refused_and_the_former_one_stays(domain: Domain) -> None:
    await domain.apply("newbook", 'state = "closed"\n')
    with pytest.raises(ItemRefused) as refused:
        await Deployment({"policy": domain.policies}).load((put("newbook", '[route."POST /bokks"]\n'),))
    problem = ItemProblem(
        "policies/newbook.toml", "is no route of the service", "route.POST /bokks", 1, 1, "POST /books"
    )
    assert refused.value.problems == (problem,)
    assert await domain.add() == 503


async def test_a_policy_of_a_service_that_runs_elsewhere_changes_nothing_here(domain: Domain) -> None:
    change = put("timelines", 'state = "closed"\n')
    assert domain.policies.concerns(change) == set()
    assert domain.policies.concerns(put("newbook", "")) == {"newbook"}
    loaded = await domain.policies.load(change)
    await loaded.deploy()
    await loaded.undo()
