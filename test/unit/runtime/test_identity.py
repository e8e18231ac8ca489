"""The caller of a request: the signature of the gateway, and what a caller without it is."""

from collections.abc import Callable

import pytest
from multidict import CIMultiDict

from bookshelf.cqrs.handler import GUEST, Caller
from bookshelf.http.message import Request, request
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.identity import LocalReader, PageClient, SignedCallers, admit, signed_in
from bookshelf.runtime.api.ownership import command_id

SECRET = b"0123456789abcdef"
ANN = signed_in("a-ann", frozenset({"read", "write"}), "s-1")


def callers(now: float = 1000.0, secret: bytes = SECRET) -> SignedCallers:
    return SignedCallers(secret, now=lambda: now)


def signed(caller: Caller = ANN) -> Request:
    made = request("POST", "/books?x=1", b"{}", Idempotency_Key="k")
    callers().sign(caller, made)
    return made


def test_a_signed_person_is_the_caller_and_the_owner() -> None:
    assert callers().of(signed()) == Caller(
        actor="a-ann", account="a-ann", owner="a-ann", scopes=frozenset({"read", "write"}), session="s-1"
    )


def test_the_account_of_the_local_reader_owns_what_has_no_owner() -> None:
    caller = callers().of(signed(signed_in("a-reader", frozenset({"read"}), None)))
    assert (caller.account, caller.owner, caller.session) == ("a-reader", None, None)


def change(name: str, value: str) -> Callable[[Request], None]:
    def changed(made: Request) -> None:
        made.headers = CIMultiDict({**made.headers, name: value})

    return changed


def retarget(made: Request) -> None:
    made.target = "/books?x=2"


def turn_into_delete(made: Request) -> None:
    made.method = "DELETE"


def repeat(made: Request) -> None:
    made.headers = CIMultiDict([*made.headers.items(), ("Bookshelf-Actor", "a-bob")])


@pytest.mark.parametrize(
    "forge",
    [
        change("Bookshelf-Actor", "a-bob"),
        change("Bookshelf-Scopes", "read write accounts:admin"),
        change("Bookshelf-Session", "s-2"),
        change("Bookshelf-Signature", "1000." + "0" * 64),
        change("Bookshelf-Signature", "\u0661000." + "0" * 64),
        change("Bookshelf-Signature", ""),
        *(retarget, turn_into_delete, repeat),
    ],
)
def test_a_request_with_a_signature_that_does_not_fit_is_a_guests(forge: Callable[[Request], None]) -> None:
    made = signed()
    forge(made)
    assert callers().of(made) is GUEST


@pytest.mark.parametrize(("now", "known"), [(1060, True), (1061, False), (940, True), (939, False)])
def test_a_signature_is_valid_for_sixty_seconds(now: float, known: bool) -> None:  # noqa: FBT001 (a column)
    assert (callers(now).of(signed()).account == "a-ann") is known


def test_another_secret_makes_other_signatures() -> None:
    assert callers(secret=b"another secret of 16").of(signed()) is GUEST


def test_a_guest_has_no_identity_fields() -> None:
    made = request("GET", "/books", b"", Bookshelf_Actor="a-ann", Bookshelf_Scopes="read")
    callers().sign(GUEST, made)
    assert not made.headers


def test_without_accounts_every_request_is_the_local_readers_whatever_it_claims() -> None:
    made = request("GET", "/books", b"", Bookshelf_Actor="ann", Bookshelf_Scopes="")
    assert LocalReader().of(made) == Caller(actor="ann")
    assert admit(LocalReader(), made, ("shop:manage",)).owner is None


@pytest.mark.parametrize(
    ("caller", "requires", "kind"),
    [
        *((GUEST, None, None), (GUEST, (), "unauthenticated"), (GUEST, ("read",), "unauthenticated")),
        *(
            (ANN, None, None),
            (ANN, (), None),
            (ANN, ("read", "write"), None),
            (ANN, ("shop:buy",), "forbidden"),
        ),
    ],
)
def test_a_caller_is_admitted_by_scopes(
    caller: Caller, requires: tuple[str, ...] | None, kind: str | None
) -> None:
    made = signed(caller)
    if kind is None:
        assert admit(callers(), made, requires).account == caller.account
        return
    with pytest.raises(Problem) as refused:
        admit(callers(), made, requires)
    assert refused.value.kind == kind
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer")


def test_people_with_the_same_key_have_commands_of_their_own() -> None:
    assert command_id("reader", "key") == "key"
    ids = {command_id(actor, "key") for actor in ("reader", "a-ann", "a-bob")}
    assert len(ids) == 3
    assert command_id("a-ann", "key") in ids


def of_page(caller: Caller, client: str = "203.0.113.9 https") -> Request:
    made = request("POST", "/bookshelf/accounts/login", b"{}", Bookshelf_Client=client)
    callers().sign(caller, made)
    return made


@pytest.mark.parametrize("caller", [ANN, GUEST])
def test_a_page_names_its_client_under_the_signature(caller: Caller) -> None:
    made = of_page(caller)
    assert callers().client(made) == PageClient("203.0.113.9", secure=True)
    assert callers().of(made).account == caller.account
    assert callers().client(of_page(caller, "2001:db8::7 http")) == PageClient("2001:db8::7", secure=False)


@pytest.mark.parametrize(
    "forge",
    [
        change("Bookshelf-Client", "198.51.100.1 https"),
        change("Bookshelf-Actor", "a-bob"),
        change("Bookshelf-Signature", ""),
        turn_into_delete,
    ],
)
def test_a_client_without_a_fitting_signature_is_none(forge: Callable[[Request], None]) -> None:
    made = of_page(GUEST)
    forge(made)
    assert callers().client(made) is None
    assert callers().of(made) is GUEST


def test_a_request_of_no_page_has_no_client() -> None:
    assert callers().client(signed()) is None
    assert LocalReader().client(of_page(ANN)) is None
