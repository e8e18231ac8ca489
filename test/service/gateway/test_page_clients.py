"""A page service calls the API for a browser: services then get the browser's address, if it is signed."""

import pytest
from support.upstream import FakeCluster, Service, openapi_document

from bookshelf.cqrs.handler import GUEST, Caller
from bookshelf.discovery.local import LocalDiscovery
from bookshelf.http.client import LocalTransport
from bookshelf.http.message import request
from bookshelf.runtime.api.identity import SignedCallers, signed_in
from gateway.app import Gateway
from gateway.options import GatewayOptions

CALLERS = SignedCallers(b"the secret of this test")
FORGED = SignedCallers(b"another secret of a test")
ANN = signed_in("a-ann", frozenset({"write"}), "s-1")


@pytest.mark.parametrize("caller", [GUEST, ANN])
@pytest.mark.parametrize(
    ("signer", "known"),
    [(CALLERS, ("203.0.113.9", "https")), (FORGED, (None, "http")), (None, (None, "http"))],
)
async def test_the_client_of_a_page_is_passed_on_if_its_service_has_signed_it(
    caller: Caller, signer: SignedCallers | None, known: tuple[str | None, str]
) -> None:
    discovery, transport = LocalDiscovery(), LocalTransport()
    gateway = Gateway(discovery, transport, options=GatewayOptions(callers=CALLERS))
    service = Service(openapi_document("users", ("users",), "POST /accounts/login"))
    await FakeCluster(gateway, discovery, transport).add(service)
    await gateway.start()
    made = request("POST", "/bookshelf/accounts/login", b"", Bookshelf_Client="203.0.113.9 https")
    if signer is not None:
        signer.sign(caller, made)
    await gateway.handle(made)
    await gateway.stop()
    headers = service.asked[-1].headers
    assert (headers.get("X-Forwarded-For"), headers["X-Forwarded-Proto"]) == known
    assert "Bookshelf-Client" not in headers
    if signer is CALLERS:
        assert CALLERS.of(service.asked[-1]).account == caller.account
