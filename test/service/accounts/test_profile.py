"""One's own account: shown and changed, other sessions, another password, and the end of it."""

from support.shelf import Answered
from support.users import BEN, PASSWORD, Users, caller

OTHER = "seven green bottles on a wall"


def cookies(answer: Answered) -> list[str]:
    return [str(value) for value in answer.headers.getall("Set-Cookie")]  # type: ignore[attr-defined]


async def test_name_and_address_are_changed(users: Users) -> None:
    me = caller(await users.register())
    fields = {"name": "Ann R.", "address": "Elm Street 1\nYork"}
    changed = await users.send("PATCH", "/accounts/me", fields, me)
    assert (changed.json["name"], changed.json["address"]) == ("Ann R.", "Elm Street 1\nYork")
    assert (await users.send("GET", "/accounts/me", by=me)).json == changed.json
    cleared = await users.send("PATCH", "/accounts/me", {"address": None}, me)
    assert "address" not in cleared.json


async def test_another_address_needs_the_password_and_must_be_free(users: Users) -> None:
    me = caller(await users.register())
    await users.register(**BEN)
    wanted = {"email": "ann@books.example"}
    assert (await users.send("PATCH", "/accounts/me", wanted, me)).status == 422
    taken = {"email": "BEN@example.org", "password": PASSWORD}
    assert (await users.send("PATCH", "/accounts/me", taken, me)).status == 409
    changed = await users.send("PATCH", "/accounts/me", {**wanted, "password": PASSWORD}, me)
    assert (changed.status, changed.json["email"]) == (200, "ann@books.example")
    assert (await users.sign_in("ann@books.example")).status == 200
    await users.released("ann@example.org")
    assert (await users.sign_in("ann@example.org")).status == 401
    assert await users.register(**{**BEN, "handle": "eve", "email": "ann@example.org"})


async def test_another_password_ends_all_sessions_and_opens_a_new_one(users: Users) -> None:
    me = caller(await users.register())
    former = (await users.sign_in()).json["refresh_token"]
    body = {"old": PASSWORD, "new": OTHER}
    answer = await users.send("PUT", "/accounts/me/password", body, me)
    assert answer.status == 200
    renewed = await users.send("POST", "/accounts/refresh", {"refresh_token": answer.json["refresh_token"]})
    assert renewed.status == 200
    assert (await users.send("POST", "/accounts/refresh", {"refresh_token": former})).status == 401
    assert [(await users.sign_in("ann", word)).status for word in (PASSWORD, OTHER)] == [401, 200]


async def test_the_session_after_another_password_is_kept_for_as_long_as_the_one_before(users: Users) -> None:
    account = await users.register()
    ages = []
    for remember, old, new in ((True, PASSWORD, OTHER), (False, OTHER, PASSWORD)):
        login = {"login": "ann", "password": old, "browser": True, "remember": remember}
        signed = await users.send("POST", "/accounts/login", login)
        [cookie] = [value for value in cookies(signed) if value.startswith("session=")]
        session = cookie.partition(".")[0].removeprefix("session=")
        body = {"old": old, "new": new, "browser": True}
        changed = await users.send("PUT", "/accounts/me/password", body, caller(account, session=session))
        ages += [value.partition("Max-Age=")[2] for value in cookies(changed) if "session=" in value]
    assert ages == ["2592000", ""]


async def test_a_wrong_or_weak_password_changes_nothing_and_guesses_are_counted(users: Users) -> None:
    me = caller(await users.register())
    weak = await users.send("PUT", "/accounts/me/password", {"old": PASSWORD, "new": "ann@example.org"}, me)
    assert [fault["pointer"] for fault in weak.json["errors"]] == ["/new"]
    body = {"old": "wrong wrong wrong", "new": OTHER}
    statuses = [(await users.send("PUT", "/accounts/me/password", body, me)).status for _ in range(11)]
    assert statuses == [422] * 10 + [429]


async def test_sessions_are_listed_and_ended_by_their_person_only(users: Users) -> None:
    account, other = await users.register(), await users.register(**BEN)
    tokens = [(await users.sign_in()).json["refresh_token"] for _ in range(2)]
    first, second = (token.partition(".")[0] for token in tokens)
    me = caller(account, session=first)
    await users.caught_up()
    listed = (await users.send("GET", "/accounts/sessions", by=me)).json
    assert {session["id"]: session["this"] for session in listed} == {first: True, second: False}
    assert (listed[0]["network"], listed[0]["program"]) == ("10.0.0.1", "test")
    missing = await users.send("DELETE", "/accounts/sessions/s-none", by=me)
    foreign = await users.send("DELETE", f"/accounts/sessions/{first}", by=caller(other))
    assert (foreign.status, foreign.body) == (404, missing.body)
    assert (await users.send("DELETE", f"/accounts/sessions/{second}", by=me)).status == 204
    await users.caught_up()
    assert [one["id"] for one in (await users.send("GET", "/accounts/sessions", by=me)).json] == [first]


async def test_a_forgotten_person_is_gone_and_frees_handle_and_address(users: Users) -> None:
    account = await users.register()
    me = caller(account)
    token = (await users.sign_in()).json["refresh_token"]
    assert (await users.send("DELETE", "/accounts/me", {"password": "wrong wrong wrong"}, me)).status == 422
    assert (await users.send("DELETE", "/accounts/me", {"password": PASSWORD}, me)).status == 202
    assert (await users.send("GET", "/accounts/me", by=me)).status == 401
    assert (await users.send("POST", "/accounts/refresh", {"refresh_token": token})).status == 401
    assert (await users.sign_in()).status == 401
    await users.released("ann", "ann@example.org")
    assert await users.register() != account
    await users.destroyed(account)
