"""Sign-in: one answer and the same work for every failure, tokens, refresh, cookies, sign-out."""

from datetime import timedelta

from support.users import BEN, PASSWORD, Users, caller

from bookshelf.accounts.handlers.guessing import ACCOUNT_MAX, NETWORK_MAX, PAIR_MAX
from bookshelf.cqrs.handler import GUEST
from gateway.jwt import Named, Tokens, read


class Published:
    """The public keys, as a gateway has fetched them."""

    def __init__(self, content: bytes) -> None:
        self._keys = read(content)

    def now(self) -> Named:
        return self._keys

    async def renewed(self) -> bool:
        return False


async def test_a_sign_in_answers_tokens_that_the_gateway_accepts(users: Users) -> None:
    account = await users.register()
    answer = await users.sign_in()
    body = answer.json
    assert (body["token_type"], body["expires_in"], body["account"]) == ("Bearer", 600, account)
    assert body["scope"] == "read write shop:buy"
    assert answer.headers["Cache-Control"] == "no-store"
    keys = await users.send("GET", "/accounts/.well-known/jwks.json")
    assert keys.headers["Cache-Control"] == "max-age=300"
    gateway = Tokens(Published(keys.body), "bookshelf", "bookshelf", lambda: users.clock.now().timestamp())
    identity = gateway.verify(body["access_token"])
    assert (identity.actor, identity.scopes) == (account, frozenset({"read", "write", "shop:buy"}))


async def test_every_failure_has_one_answer_and_costs_one_hash(users: Users) -> None:
    await users.register()
    suspended = await users.register(**BEN)
    await users.send("PUT", f"/accounts/{suspended}/suspended", by=caller("a-0", "accounts:admin"))
    answers = []
    for login, password in (
        ("ann", "wrong wrong wrong"),
        ("ann", "x"),
        ("unknown", PASSWORD),
        ("unknown@", PASSWORD),
        ("ben", PASSWORD),
        ("ben", "wrong wrong wrong"),
    ):
        before = users.hasher.verified
        answers.append(await users.sign_in(login, password))
        assert users.hasher.verified == before + 1
    for _ in range(PAIR_MAX):
        await users.sign_in("ann", "wrong wrong wrong")
    before = users.hasher.verified
    answers.append(await users.sign_in("ann", PASSWORD))  # locked
    assert users.hasher.verified == before + 1
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert (await users.sign_in("ann", PASSWORD, X_Forwarded_For="10.0.0.2")).status == 200


async def test_a_network_with_too_many_failures_is_429(users: Users) -> None:
    for number in range(NETWORK_MAX):
        await users.sign_in(f"login-{number}", "wrong wrong wrong")
    answer = await users.sign_in()
    assert (answer.status, answer.headers["Retry-After"]) == (429, "900")


async def test_a_device_that_has_signed_in_is_not_locked_out_by_others(users: Users) -> None:
    await users.register()
    browser = {"login": "ann", "password": PASSWORD, "browser": True}
    first = await users.send("POST", "/accounts/login", browser)
    [device] = [value for value in first.headers.getall("Set-Cookie") if value.startswith("device=")]  # type: ignore[attr-defined]
    for number in range(ACCOUNT_MAX):
        await users.sign_in("ann", "wrong wrong wrong", X_Forwarded_For=f"10.0.1.{number}")
    assert (await users.sign_in("ann", X_Forwarded_For="10.0.0.7")).status == 401
    cookie = device.partition(";")[0]
    assert (await users.sign_in("ann", X_Forwarded_For="10.0.0.7", Cookie=cookie)).status == 200


async def test_a_browser_gets_cookies_and_no_token(users: Users) -> None:
    await users.register()
    body = {"login": "ann", "password": PASSWORD, "browser": True}
    plain = await users.send("POST", "/accounts/login", body)
    assert (plain.status, plain.body) == (204, b"")
    session = next(value for value in plain.headers.getall("Set-Cookie") if "session" in value)  # type: ignore[attr-defined]
    assert session.startswith("session=s-")
    assert session.endswith("; Path=/; HttpOnly; SameSite=Lax")
    kept = await users.send("POST", "/accounts/login", {**body, "remember": True}, X_Forwarded_Proto="https")
    session = next(value for value in kept.headers.getall("Set-Cookie") if "session" in value)  # type: ignore[attr-defined]
    assert session.startswith("__Host-session=s-")
    assert session.endswith("; Max-Age=2592000; Secure")


async def refreshed(users: Users, token: str, **headers: str) -> tuple[int, str]:
    answer = await users.send("POST", "/accounts/refresh", {"refresh_token": token}, GUEST, **headers)
    return answer.status, answer.json.get("refresh_token", "")


async def test_two_racing_refreshes_get_the_same_successor(users: Users) -> None:
    await users.register()
    first = (await users.sign_in()).json["refresh_token"]
    results = [await refreshed(users, first) for _ in range(2)]
    assert results[0][0] == 200
    assert results[0] == results[1]
    assert (await refreshed(users, results[0][1]))[0] == 200


async def test_a_stolen_refresh_token_ends_the_session(users: Users) -> None:
    await users.register()
    stolen = (await users.sign_in()).json["refresh_token"]
    _, current = await refreshed(users, stolen)
    assert (await refreshed(users, stolen, User_Agent="thief"))[0] == 401
    assert (await refreshed(users, current))[0] == 401


async def test_a_forged_refresh_token_changes_nothing(users: Users) -> None:
    await users.register()
    token = (await users.sign_in()).json["refresh_token"]
    forged = token.replace(".0.", ".7.")
    assert (await refreshed(users, forged))[0] == 401
    assert (await refreshed(users, token))[0] == 200


async def test_sign_out_ends_this_session_or_all(users: Users) -> None:
    account = await users.register()
    tokens = [(await users.sign_in()).json["refresh_token"] for _ in range(3)]
    sessions = [token.partition(".")[0] for token in tokens]
    own = caller(account, session=sessions[0])
    assert (await users.send("POST", "/accounts/logout", None, own)).status == 204
    assert [(await refreshed(users, token))[0] for token in tokens[:2]] == [401, 200]
    await users.send("POST", "/accounts/logout", {"everywhere": True}, own)
    assert (await refreshed(users, tokens[2]))[0] == 401
    assert (await users.sign_in()).status == 200


async def test_a_session_that_is_not_used_ends_by_itself(users: Users) -> None:
    account = await users.register()
    token = (await users.sign_in()).json["refresh_token"]
    users.clock.move(timedelta(hours=13))
    status = 200
    while status == 200:
        status, token = await refreshed(users, token)
    assert status == 401
    assert account


async def test_a_suspended_account_refreshes_no_more(users: Users) -> None:
    account = await users.register()
    token = (await users.sign_in()).json["refresh_token"]
    admin = caller("a-0", "accounts:admin")
    await users.send("PUT", f"/accounts/{account}/suspended", None, admin)
    assert (await refreshed(users, token))[0] == 401
    await users.send("DELETE", f"/accounts/{account}/suspended", None, admin)
    assert (await users.sign_in()).status == 200


async def test_a_hash_with_former_parameters_is_renewed_at_sign_in(users: Users) -> None:
    await users.register()
    users.hasher._passes = 2  # noqa: SLF001 (a release with other parameters)
    del users.hasher.__dict__["_argon2"]
    assert (await users.sign_in()).status == 200
    assert (await users.sign_in("ann", "wrong wrong wrong")).status == 401
    assert (await users.sign_in()).status == 200
