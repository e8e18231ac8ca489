"""Authorisation by route: security that services declare, and tokens that a verifier checks."""

from typing import Any

import pytest
from support.gateway_sockets import GatewayOnSockets, asks, status
from support.upstream import Service, openapi_document

from bookshelf.http.client import HttpTransport
from gateway.auth import BadToken, Identity, NoKeys, UnknownKey, Verifier, required

OPEN, ANYONE, WRITERS = "/bookshelf/open", "/bookshelf/known", "/bookshelf/written"


def document(**whole: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON)
    made = openapi_document("books", ("books",), "GET /open", "GET /known", "GET /written")
    made["paths"]["/known"]["get"]["security"] = [{"token": []}]
    made["paths"]["/written"]["get"]["security"] = [{"token": ["write"]}]
    return made | whole


class Names(Verifier):
    """Accepts tokens that are a name, with scopes after colons. `known`: whether all keys are loaded."""

    def __init__(self, *, known: bool = True) -> None:
        self.known = known

    def verify(self, token: str) -> Identity:
        name, *scopes = token.split(":")
        if not self.known and name in {"late", "away"}:
            raise UnknownKey("it is new") if name == "late" else NoKeys("there are none")
        if name == "forged":
            raise BadToken("it is")
        return Identity(name, frozenset(scopes))

    async def renewed(self) -> bool:
        known, self.known = self.known, True
        return not known


@pytest.fixture
async def service(network: GatewayOnSockets, transport: HttpTransport) -> Service:
    made = Service(document())
    await network.service(made)
    await network.open(transport, verifier=Names())
    return made


@pytest.mark.parametrize(
    ("path", "token", "code"),
    [
        *(
            (OPEN, None, 200),
            (OPEN, "Bearer ann", 200),
            (OPEN, "Bearer forged", 401),
            (OPEN, "Basic YTpi", 401),
        ),
        *((ANYONE, None, 401), (ANYONE, "Bearer ann", 200), (ANYONE, "bearer ann", 200)),
        *((WRITERS, None, 401), (WRITERS, "Bearer ann", 403), (WRITERS, "Bearer ann:write", 200)),
        (WRITERS, "Bearer forged:write", 401),
    ],
)
async def test_a_request_is_admitted_by_its_token(
    network: GatewayOnSockets, service: Service, path: str, token: str | None, code: int
) -> None:
    headers = () if token is None else (f"Authorization: {token}",)
    answer = await network.ask(asks("GET", path, *headers, "Bookshelf-Actor: root"))
    assert status(answer) == code
    assert (b"WWW-Authenticate: Bearer" in answer) is (code == 401)
    actor = "ann" if token and "ann" in token else None
    assert [asked.headers.get("Bookshelf-Actor") for asked in service.asked] == [actor] * (code == 200)


@pytest.mark.parametrize("name", ["late", "away"])
async def test_a_token_of_a_newly_loaded_key_is_accepted(
    network: GatewayOnSockets, transport: HttpTransport, name: str
) -> None:
    await network.service(Service(document()))
    await network.open(transport, verifier=Names(known=False))
    answer = await network.ask(asks("GET", ANYONE, f"Authorization: Bearer {name}"))
    assert status(answer) == 200


@pytest.mark.parametrize(("name", "code"), [("late", 401), ("away", 503)])
async def test_a_token_that_cannot_be_verified_is_answered_503(
    network: GatewayOnSockets, transport: HttpTransport, name: str, code: int
) -> None:
    class Never(Names):
        async def renewed(self) -> bool:
            return False

    await network.service(Service(document()))
    await network.open(transport, verifier=Never(known=False))
    answer = await network.ask(asks("GET", OPEN, f"Authorization: Bearer {name}"))
    assert (status(answer), b"Retry-After: 1" in answer) == (code, code == 503)


async def test_two_tokens_are_refused(network: GatewayOnSockets, service: Service) -> None:
    two = ("Authorization: Bearer ann:write", "Authorization: Bearer bob")
    assert status(await network.ask(asks("GET", OPEN, *two))) == 401
    assert service.asked == []


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/bookshelf//written",
            "/bookshelf/./written",
            "/bookshelf/%77ritten",
            "/bookshelf/open/../written",
        ),
        *(
            "/bookshelf/open/..%2fwritten",
            "/bookshelf/written/",
            "/bookshelf/written;x",
            "/bookshelf/WRITTEN",
        ),
        *("/bookshelf/open%00/../written", "/bookshelf/open\\..\\written", "/bookshelf/%c0%aewritten"),
    ],
)
async def test_other_spellings_of_a_path_do_not_bypass_authentication(
    network: GatewayOnSockets, service: Service, path: str
) -> None:
    assert status(await network.ask(asks("GET", path))) in {400, 404}
    assert service.asked == []


async def test_without_a_verifier_a_protected_route_is_closed(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    service = Service(document())
    await network.service(service)
    await network.open(transport)
    for path, code in ((OPEN, 200), (ANYONE, 401), (WRITERS, 401)):
        assert status(await network.ask(asks("GET", path, "Authorization: Bearer ann:write"))) == code
    assert "Bookshelf-Actor" not in service.asked[0].headers


async def test_the_security_of_a_document_applies_to_operations_without_their_own(
    network: GatewayOnSockets, transport: HttpTransport
) -> None:
    await network.service(Service(document(security=[{"token": []}])))
    await network.open(transport, verifier=Names())
    assert status(await network.ask(asks("GET", OPEN))) == 401


@pytest.mark.parametrize("security", [None, [], [{}], [{"token": []}, {}]])
def test_public_operations_need_no_token(security: object) -> None:
    assert required(security) is None


@pytest.mark.parametrize("security", [[{"token": []}], "nonsense", {"token": []}, [1], 7, [{"token": 3}]])
def test_an_invalid_security_requirement_needs_a_token(security: object) -> None:
    found = required(security)
    assert found is not None
    assert found.scopes == frozenset()
