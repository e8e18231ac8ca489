"""`bookshelf up` in a domain: its services are registered once it is a member, as on other nodes."""

import asyncio
from pathlib import Path

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
