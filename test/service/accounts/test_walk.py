"""Every route of accounts, asked by a guest, a reader, a manager and an admin."""

from support.users import ANN, BEN, USERS, Users, caller

from bookshelf.cqrs.handler import GUEST, INTERNAL
from bookshelf.runtime.api.identity import LocalReader
from bookshelf.runtime.openapi import document

#: What each route needs: nothing, an account, or a scope.
NEEDS: dict[tuple[str, str], tuple[str, ...] | None] = {
    ("POST", "/accounts"): None,
    ("POST", "/accounts/login"): None,
    ("POST", "/accounts/refresh"): None,
    ("GET", "/accounts/.well-known/jwks.json"): None,
    ("POST", "/accounts/exchange"): INTERNAL,
    ("GET", "/accounts/revocations"): INTERNAL,
    ("POST", "/accounts/logout"): (),
    ("GET", "/accounts/sessions"): (),
    ("DELETE", "/accounts/sessions/{id}"): (),
    ("GET", "/accounts/me"): (),
    ("PATCH", "/accounts/me"): (),
    ("DELETE", "/accounts/me"): (),
    ("PUT", "/accounts/me/password"): (),
    ("GET", "/accounts"): ("accounts:read",),
    ("GET", "/accounts/{id}"): ("accounts:read",),
    ("DELETE", "/accounts/{id}"): ("accounts:admin",),
    ("PUT", "/accounts/{id}/groups/{group}"): ("accounts:admin",),
    ("DELETE", "/accounts/{id}/groups/{group}"): ("accounts:admin",),
    ("PUT", "/accounts/{id}/suspended"): ("accounts:admin",),
    ("DELETE", "/accounts/{id}/suspended"): ("accounts:admin",),
    ("DELETE", "/accounts/{id}/sessions"): ("accounts:admin",),
    ("POST", "/accounts/keys"): ("accounts:admin",),
    ("GET", "/accounts/groups"): ("accounts:admin",),
    ("PUT", "/accounts/groups/{group}"): ("accounts:admin",),
    ("DELETE", "/accounts/groups/{group}"): ("accounts:admin",),
}
ROUTES = {(route.method, route.path): route for route in USERS.loaded().serves}


def test_the_walk_has_every_route() -> None:
    assert {key: route.requires for key, route in ROUTES.items()} == NEEDS


async def test_each_route_is_closed_to_callers_without_its_scope(users: Users) -> None:
    ann = await users.register()
    reader = caller(ann, "read", "write", "shop:buy")
    manager = caller("a-manager", "read", "write", "shop:buy", "shop:manage", "files:write", "accounts:read")
    for (method, path), needed in NEEDS.items():
        target = path.replace("{id}", ann).replace("{group}", "customer")
        for person in (GUEST, reader, manager):
            if needed is None or (person is not GUEST and person.may(needed)):
                continue
            answer = await users.send(method, target, {}, person)
            status, challenge = (401, "Bearer") if person is GUEST else (403, "Bearer error=")
            assert answer.status == status, (method, path)
            assert answer.headers["WWW-Authenticate"].startswith(challenge), (method, path)
    assert (await users.send("GET", "/accounts/me", by=reader)).json["groups"] == ["reader", "customer"]


async def test_what_a_person_has_is_not_seen_or_changed_by_another(users: Users) -> None:
    ann, ben = await users.register(), await users.register(**BEN)
    session = (await users.sign_in()).json["refresh_token"].partition(".")[0]
    await users.caught_up()
    other = caller(ben, "read", "write", "shop:buy")
    for target in ("/accounts/me", "/accounts/sessions"):
        seen = (await users.send("GET", target, by=other)).body
        for word in (ann, ANN["handle"], ANN["name"], ANN["email"], session):
            assert f'"{word}"'.encode() not in seen, target
    taken, missing = [
        await users.send("DELETE", f"/accounts/sessions/{one}", None, other) for one in (session, "s-none")
    ]
    assert (taken.status, taken.body) == (404, missing.body)
    renamed = await users.send("PATCH", "/accounts/me", {"name": "Eve", "id": ann}, other)
    assert renamed.status == 422
    assert (await users.send("GET", "/accounts/me", by=caller(ann))).json["name"] == ANN["name"]


async def test_without_accounts_every_route_is_404() -> None:
    async with Users(LocalReader()) as users:
        for method, path in NEEDS:
            answer = await users.send(method, path, {})
            assert (answer.status, answer.json["type"]) == (404, "urn:bookshelf:problem:no-route")
            assert "accounts is off" in answer.json["detail"]


def test_the_answers_of_sign_in_and_registration_are_documented() -> None:
    paths = document(USERS.loaded(), secured=True)["paths"]
    declared = {
        (path, status): answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        if "content" in answer
        else None
        for path in ("/accounts", "/accounts/login", "/accounts/refresh")
        for status, answer in paths[path]["post"]["responses"].items()
        if status.startswith("2") or status == "default"
    }
    assert declared == {
        ("/accounts", "201"): "OpenedAccount",
        ("/accounts", "202"): "RequestedAccount",
        ("/accounts/login", "200"): "TokensAnswer",
        ("/accounts/login", "204"): None,
        ("/accounts/refresh", "200"): "TokensAnswer",
    }
