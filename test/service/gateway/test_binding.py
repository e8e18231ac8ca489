"""The rule `bind`: a client stays with the domain of its first request, until that is lost for good."""

import re
from typing import Any

import pytest
from support.fake_locks import FakeLocks
from support.until import eventually as until_true
from support.upstream import FakeCluster, Service, eventually, json_of, openapi_document

from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import LocalTransport
from bookshelf.http.message import Response, request
from gateway.app import Gateway
from gateway.binding import Bindings
from gateway.options import GatewayOptions
from gateway.routing.rules import BadRules
from gateway.upstream.pool import Pools

COUNTER = openapi_document("counter", ("counter",), "GET /counter", "GET /other")
RULE = {"prefix": "/counter", "domains": ["blue", "green"], "rebind_s": 0}


class Domains:
    """Two domains with one instance each, behind a gateway; the answers name the domain."""

    def __init__(self, rule: dict[str, Any] | None = None) -> None:
        self.discovery, transport = LocalDiscovery(), LocalTransport()
        self.gateway = self.another_gateway(transport, rule)
        self.cluster = FakeCluster(self.gateway, self.discovery, transport)
        self.services: dict[str, Service] = {}
        self.instances: dict[str, Any] = {}

    def another_gateway(self, transport: LocalTransport, rule: dict[str, Any] | None = None) -> Gateway:
        gateway = Gateway(self.discovery, transport, options=GatewayOptions(bind_key=lambda: b"k" * 32))
        gateway.rules.set_own(gateway.rules.take({"bind": [rule or RULE]}))
        return gateway

    async def start(self) -> "Domains":
        for domain in ("blue", "green"):
            await self.add(domain)
        await self.gateway.start()
        return self

    async def add(self, domain: str) -> None:
        self.services[domain] = Service(COUNTER, Response(200, {}, domain.encode()))
        self.instances[domain] = await self.cluster.add(self.services[domain], domain=domain)

    async def remove(self, domain: str) -> None:
        await self.discovery.deregister(self.instances[domain].id)

    async def ask(self, path: str = "/counter", **headers: str) -> Response:
        return await self.gateway.handle(request("GET", f"/bookshelf{path}", b"", **headers))


def cookie_of(answer: Response) -> str:
    [line] = [value for name, value in answer.headers.items() if name == "Set-Cookie"]
    match = re.fullmatch(
        r"(bookshelf-bound=[a-z]+\.[0-9a-f]{64}); Path=/bookshelf/counter; HttpOnly; SameSite=Lax", line
    )
    assert match is not None, line
    return match[1]


async def test_a_client_stays_with_the_domain_of_its_first_request() -> None:
    domains = await Domains().start()
    try:
        for _ in range(20):
            first = await domains.ask()
            cookie, header = cookie_of(first), first.headers["Bookshelf-Bound"]
            for given in ({"Cookie": f"a=b; {cookie}"}, {"Bookshelf_Bound": header}):
                again = await domains.ask(**given)
                assert again.body == first.body
                assert "Set-Cookie" not in again.headers
        asked = {domain: service.asked for domain, service in domains.services.items()}
        assert all(asked.values())  # both domains have clients
        for received in (one for requests in asked.values() for one in requests):
            assert "bookshelf-bound" not in received.headers.get("Cookie", "")
            assert "Bookshelf-Bound" not in received.headers
        assert {one.headers.get("Cookie") for one in asked["blue"]} == {None, "a=b"}
    finally:
        await domains.gateway.stop()


async def test_another_gateway_with_the_same_secret_knows_the_domain() -> None:
    domains = await Domains().start()
    cookie = cookie_of(first := await domains.ask())
    second = domains.another_gateway(domains.cluster.transport)
    await second.start()
    try:
        for _ in range(10):
            asked = request("GET", "/bookshelf/counter", Cookie=cookie)
            assert (await second.handle(asked)).body == first.body
    finally:
        await second.stop()
        await domains.gateway.stop()


async def test_what_another_has_signed_or_changed_counts_for_nothing() -> None:
    domains = await Domains().start()
    try:
        value = (await domains.ask()).headers["Bookshelf-Bound"]
        domain, _, signature = value.partition(".")
        other = "green" if domain == "blue" else "blue"
        for forged in (f"{other}.{signature}", f"{domain}.{'0' * 64}", domain, f"{value}0", "a" * 10_000):
            answer = await domains.ask(Bookshelf_Bound=forged)
            assert answer.status == 200
            assert answer.headers["Bookshelf-Bound"]  # bound anew
            assert "Bookshelf-Rebound" not in answer.headers
    finally:
        await domains.gateway.stop()


async def test_a_new_client_goes_to_the_domain_that_is_less_busy() -> None:
    domains = await Domains().start()
    try:
        await domains.ask()
        busy = next(
            one
            for one in domains.gateway.directory.pools.instances()
            if one.instance.meta["domain"] == "blue"
        )
        busy.outstanding = 3
        assert {(await domains.ask()).body for _ in range(10)} == {b"green"}
        await domains.add("blue")  # half a request for each instance, once it is known
        busy.outstanding = 1
        assert {(await domains.ask()).body for _ in range(10)} == {b"green"}
    finally:
        await domains.gateway.stop()


async def test_a_client_of_a_lost_domain_is_asked_to_try_again_and_moves_once_it_is_lost_for_good() -> None:
    domains = await Domains({**RULE, "rebind_s": 0.2}).start()
    try:
        first = await domains.ask()
        lost = bytes(first.body).decode() if isinstance(first.body, bytes) else ""
        await domains.remove(lost)
        seen: list[Response] = []
        cookie = cookie_of(first)

        async def moved() -> bool:
            answer = await domains.ask(Cookie=cookie)
            seen.append(answer)
            if answer.headers.get("Bookshelf-Rebound") == "true":
                return True
            assert answer.body == first.body or (answer.status, answer.headers["Retry-After"]) == (503, "1")
            return False

        await until_true(moved, "the client gets another domain", 60)
        assert cookie_of(seen[-1]) != cookie
        await domains.add(lost)
        assert (await domains.ask(Cookie=cookie_of(seen[-1]))).body != first.body
    finally:
        await domains.gateway.stop()


async def test_with_rebind_s_0_a_client_never_gets_another_domain() -> None:
    domains = await Domains().start()
    try:
        first = await domains.ask()
        cookie, lost = cookie_of(first), first.headers["Bookshelf-Bound"].partition(".")[0]
        await domains.remove(lost)
        pools = domains.gateway.directory.pools
        await eventually(lambda: lost not in {one.instance.meta["domain"] for one in pools.instances()})
        answer = await domains.ask(Cookie=cookie)
        assert answer.status == 503
        assert lost in json_of(answer)["detail"]
        assert (await domains.ask()).status == 200  # a new client gets the other one
        await domains.add(lost)
        await eventually(lambda: lost in {one.instance.meta["domain"] for one in pools.instances()})
        assert (await domains.ask(Cookie=cookie)).body == first.body
    finally:
        await domains.gateway.stop()


async def test_a_domain_that_the_rule_names_no_more_gives_its_clients_away() -> None:
    domains = await Domains().start()
    try:
        first = await domains.ask()
        lost = first.headers["Bookshelf-Bound"].partition(".")[0]
        kept = "green" if lost == "blue" else "blue"
        await domains.remove(lost)
        pools = domains.gateway.directory.pools
        await eventually(lambda: lost not in {one.instance.meta["domain"] for one in pools.instances()})
        rules = domains.gateway.rules
        rules.set_own(rules.take({"bind": [{**RULE, "domains": [kept]}]}))
        moved = await domains.ask(Cookie=cookie_of(first))
        assert (moved.body, moved.headers["Bookshelf-Rebound"]) == (kept.encode(), "true")
    finally:
        await domains.gateway.stop()


async def test_other_paths_are_not_bound() -> None:
    domains = await Domains().start()
    try:
        bodies = set()
        for _ in range(50):
            answer = await domains.ask("/other")
            assert "Set-Cookie" not in answer.headers
            bodies.add(answer.body)
        assert bodies == {b"blue", b"green"}
    finally:
        await domains.gateway.stop()


async def test_a_bound_client_gets_the_primary_of_its_domain() -> None:
    domains = Domains()
    locks = FakeLocks()
    await domains.cluster.add(locks)
    for domain in ("blue", "green"):
        for number in (1, 2):
            service = Service(COUNTER, Response(200, {}, f"{domain}{number}".encode()))
            holder = f"{domain}{number}"
            await domains.cluster.add(service, domain=domain, group="counter", holder=holder)
        locks.hold("counter", f"{domain}2", 7, domain)
    rules = domains.gateway.rules
    rules.set_own(rules.take({"bind": [RULE], "primary": [{"group": "counter", "wait_s": 60}]}))
    await domains.gateway.start()
    try:
        assert {(await domains.ask()).body for _ in range(30)} == {b"blue2", b"green2"}
    finally:
        await domains.gateway.stop()


async def test_of_a_thousand_clients_none_changes_its_domain_when_both_primaries_are_lost() -> None:
    domains, locks = Domains(), FakeLocks()
    await domains.cluster.add(locks)
    instances = {}
    for name in ("blue1", "blue2", "green1", "green2"):
        domain, service = name[:-1], Service(COUNTER, Response(200, {}, name.encode()))
        instances[name] = await domains.cluster.add(service, domain=domain, group="counter", holder=name)
    for domain in ("blue", "green"):
        locks.hold("counter", f"{domain}1", 7, domain)
    rules = domains.gateway.rules
    rules.set_own(rules.take({"bind": [RULE], "primary": [{"group": "counter", "wait_s": 600}]}))
    await domains.gateway.start()
    try:
        bound = []
        for _ in range(1000):
            first = await domains.ask()
            assert isinstance(first.body, bytes)
            bound.append((cookie_of(first), first.body))
        assert {body for _, body in bound} == {b"blue1", b"green1"}

        async def have_moved() -> bool:
            return {(await domains.ask(Cookie=cookie)).body for cookie, _ in bound[:50]} == {
                b"blue2",
                b"green2",
            }

        for domain in ("blue", "green"):
            await domains.discovery.deregister(instances[f"{domain}1"].id)
            locks.hold("counter", f"{domain}2", 8, domain)
        await until_true(have_moved, "the backups have taken over")
        for cookie, body in bound:
            again = await domains.ask(Cookie=cookie)
            assert (again.status, again.body) == (200, body.replace(b"1", b"2"))
            assert "Bookshelf-Rebound" not in again.headers
    finally:
        await domains.gateway.stop()


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        ({"prefix": "counter", "domains": ["a"]}, "prefix"),
        ({"prefix": "/", "domains": ["a"]}, "prefix"),
        ({"prefix": "/a\n", "domains": ["a"]}, "prefix"),
        ({"prefix": "/a", "domains": []}, "domains"),
        ({"prefix": "/a", "domains": ["A"]}, "domains"),
        ({"prefix": "/a", "domains": ["a", "a"]}, "twice"),
        ({"prefix": "/a", "domains": ["a"], "rebind_s": -1}, "rebind_s"),
        ({"prefix": "/a", "domains": ["a"], "x": 1}, "x"),
    ],
)
def test_a_wrong_rule_is_refused(rule: dict[str, Any], match: str) -> None:
    with pytest.raises(BadRules, match=match):
        Bindings(Pools(), lambda: b"key").section.take({"bind": [rule]})


def test_two_rules_of_one_prefix_are_refused() -> None:
    with pytest.raises(BadRules, match="prefix /counter is there twice"):
        Bindings(Pools(), lambda: b"key").section.take({"bind": [RULE, RULE]})


def test_without_a_secret_no_client_is_bound() -> None:
    with pytest.raises(BadRules, match="accounts_secret_file"):
        Bindings(Pools(), None).section.take({"bind": [RULE]})
