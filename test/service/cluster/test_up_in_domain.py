"""`bookshelf up` in a domain: its services are registered once it is a member, as on other nodes."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from bookshelf.cli.embedded import embedded
from bookshelf.config import read
from bookshelf.http.message import request
from bookshelf.services import SERVICES

OWN, NEEDED = {"newbook", "booklist"}, {"rollouts", "locks"}


@pytest.mark.parametrize("domain", ["blue", ""], ids=["in a domain", "without one"])
async def test_services_are_registered_once_the_node_is_a_member(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, domain: str
) -> None:
    monkeypatch.setenv("BOOKSHELF_CLUSTER_DOMAIN", domain)
    settings = read({}, data=str(tmp_path), port=0, service_ports="auto")
    services = [service for service in SERVICES if service.name in OWN | NEEDED]
    with capture_logs() as logged:
        async with asyncio.timeout(60), embedded(settings, services) as shelf:
            answer = await shelf.gateway.handle(request("GET", "/bookshelf/books"))
            assert answer.status == 200  # the gateway knows what is registered last, too
    begun = [line.get("service", line["event"]) for line in logged if line["event"] in {"ready", "joined"}]
    if domain:
        joined = begun.index("joined")
        assert (set(begun[:joined]), set(begun[joined + 1 :])) == (NEEDED, OWN)
    else:
        assert set(begun) == OWN


async def test_the_gateway_knows_the_revision_of_a_service_before_that_has_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOKSHELF_CLUSTER_DOMAIN", "blue")
    settings = read({}, data=str(tmp_path), port=0, service_ports="auto")
    services = [service for service in SERVICES if service.name in OWN | NEEDED]
    async with asyncio.timeout(60), embedded(settings, services) as shelf:
        change = {"kind": "settings", "content": "gateway_deadline_s = 5\n"}
        proposal = msgspec.json.encode({"changes": [change], "commit": True})
        asked = request("POST", "/bookshelf/cluster/rollouts", proposal, Content_Type="application/json")
        assert (await shelf.gateway.handle(asked)).status == 200
        known = shelf.gateway.directory.pools.instances()
        newest = {one.instance.service: one.revision.newest for one in known}
        assert {newest[name] for name in OWN} == {1}
