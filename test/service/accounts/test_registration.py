"""Registration by HTTP: an account at once, or the reason why not; nothing personal in the log."""

import pytest
from support.counter_context import everything
from support.users import ANN, BEN, PASSWORD, Users, caller


async def test_a_new_account_can_be_used_at_once(users: Users) -> None:
    answer = await users.send("POST", "/accounts", ANN)
    assert (answer.status, answer.headers["Location"]) == (201, "/accounts/me")
    account = answer.json
    assert (account["handle"], account["name"], account["email"]) == ("ann", "Ann Reader", "Ann@Example.org")
    assert account["groups"] == ["reader", "customer"]
    me = await users.send("GET", "/accounts/me", by=caller(account["id"]))
    assert me.json == account
    for login in ("ann", "ANN", "ann@example.org"):
        assert (await users.sign_in(login)).status == 200


async def test_a_registration_waits_as_long_as_its_client_prefers(users: Users) -> None:
    waited = await users.send("POST", "/accounts", ANN, Prefer="wait=10")
    assert (waited.status, waited.headers["Preference-Applied"]) == (201, "wait=10")
    hurried = await users.send("POST", "/accounts", BEN, Prefer="wait=0")
    assert hurried.status in {201, 202}
    assert hurried.headers["Preference-Applied"] == "wait=0"


@pytest.mark.parametrize(
    ("fields", "pointers"),
    [
        ({"handle": "ann"}, ["/handle"]),
        ({"email": "ANN@example.ORG"}, ["/email"]),
        ({"handle": "ann", "email": "ann@example.org"}, ["/handle", "/email"]),
    ],
)
async def test_a_taken_handle_or_address_is_409_and_the_other_stays_free(
    users: Users, fields: dict[str, str], pointers: list[str]
) -> None:
    ann = await users.register()
    answer = await users.send("POST", "/accounts", {**BEN, **fields})
    assert answer.status == 409
    assert [fault["pointer"] for fault in answer.json["errors"]] == pointers
    [rejected] = [key_id for key_id in await users.keyring.ids("a-") if key_id != ann]
    await users.destroyed(rejected)
    await users.released("ben", "ben@example.org")
    assert await users.register(**BEN)


WRONG: list[tuple[dict[str, object], str]] = [
    ({"handle": "A"}, "/handle"),
    ({"name": "a\x00b"}, "/name"),
    ({"email": "ann"}, "/email"),
    ({"password": "short"}, "/password"),
    ({"password": "ann@example.org"}, "/password"),
    ({"groups": 7}, "/groups"),
    ({"scopes": ["read"]}, "/scopes"),
]


async def test_a_wrong_field_is_422_with_its_place(users: Users) -> None:
    for fields, pointer in WRONG:
        answer = await users.send("POST", "/accounts", {**ANN, **fields})
        assert answer.status == 422
        assert [fault["pointer"] for fault in answer.json["errors"]] == [pointer]


async def test_all_wrong_fields_are_named_together(users: Users) -> None:
    answer = await users.send("POST", "/accounts", {**ANN, "handle": "A", "name": " ", "password": "short"})
    assert answer.status == 422
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["/handle", "/name", "/password"]


async def test_only_an_admin_chooses_the_groups(users: Users) -> None:
    wanted = {**ANN, "groups": ["admin"]}
    assert (await users.send("POST", "/accounts", wanted)).status == 403
    answer = await users.send("POST", "/accounts", wanted, by=caller("a-0", "accounts:admin"))
    assert answer.json["groups"] == ["admin"]


async def test_a_repeated_request_with_its_key_answers_the_same_account(users: Users) -> None:
    first, second = [await users.send("POST", "/accounts", ANN, Idempotency_Key="k") for _ in range(2)]
    assert (first.status, first.json) == (second.status, second.json)
    other = await users.send("POST", "/accounts", {**BEN, "password": PASSWORD + "!"}, Idempotency_Key="k")
    assert (other.status, other.json["type"]) == (422, "urn:bookshelf:problem:key-reused")


async def test_a_repeated_request_that_was_rejected_is_rejected_again(users: Users) -> None:
    ann = await users.register()
    taken = {**BEN, "email": ANN["email"]}
    first = await users.send("POST", "/accounts", taken, Idempotency_Key="k")
    [rejected] = [key for key in users.table.rows if key.startswith("a-") and key != ann]
    await users.destroyed(rejected)
    second = await users.send("POST", "/accounts", taken, Idempotency_Key="k")
    assert (first.status, first.body) == (second.status, second.body) == (409, first.body)


async def test_a_network_registers_20_accounts_in_an_hour(users: Users) -> None:
    for number in range(20):
        await users.register(handle=f"ann-{number}", email=f"ann{number}@example.org")
    answer = await users.send("POST", "/accounts", ANN)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "3600")
    assert (await users.send("POST", "/accounts", ANN, X_Forwarded_For="10.0.0.2")).status == 201


async def test_the_log_has_no_personal_text(users: Users) -> None:
    account = await users.register()
    await users.send("PATCH", "/accounts/me", {"address": "Elm Street 1"}, caller(account))
    await users.sign_in()
    log = b"".join(record.value for record in await everything(users.log, "accounts"))
    for planted in (b"ann", b"Ann", b"xample.org", b"argon2", b"horse", b"Elm", b"10.0.0.1"):
        assert planted not in log.replace(b"accounts.", b""), planted
