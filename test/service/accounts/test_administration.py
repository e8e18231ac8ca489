"""Admins: they find accounts, change groups, suspend, end sessions, forget; others may not."""

from support.users import BEN, Users, caller

ADMIN = caller("a-0", "accounts:admin", "accounts:read")
CALLS = [
    ("GET", "/accounts"),
    ("GET", "/accounts/a-1"),
    ("DELETE", "/accounts/a-1"),
    ("PUT", "/accounts/a-1/groups/admin"),
    ("DELETE", "/accounts/a-1/groups/admin"),
    ("PUT", "/accounts/a-1/suspended"),
    ("DELETE", "/accounts/a-1/suspended"),
    ("DELETE", "/accounts/a-1/sessions"),
    ("GET", "/accounts/groups"),
    ("PUT", "/accounts/groups/lenders"),
    ("DELETE", "/accounts/groups/lenders"),
]


async def test_a_reader_or_guest_does_nothing_to_others(users: Users) -> None:
    reader = caller("a-2", "read", "write", "shop:buy")
    for method, target in CALLS:
        assert (await users.send(method, target, {})).status == 401
        assert (await users.send(method, target, {}, reader)).status == 403, target


async def test_an_account_that_is_not_there_is_404(users: Users) -> None:
    for method, target in CALLS:
        if "a-1" in target:
            assert (await users.send(method, target, {}, ADMIN)).status == 404, target


async def test_accounts_are_found_by_whole_handle_or_address_and_by_id(users: Users) -> None:
    ann, ben = await users.register(), await users.register(**BEN)
    await users.caught_up()

    async def found(query: str) -> list[str]:
        answer = await users.send("GET", f"/accounts{query}", by=ADMIN)
        return [account["id"] for account in answer.json]

    assert await found("?q=ann") == [ann]
    assert await found("?q=BEN@example.org") == [ben]
    assert await found("?q=an") == []
    assert await found(f"?ids={ben},a-none") == [ben]
    assert sorted(await found("")) == sorted([ann, ben])
    page = await users.send("GET", "/accounts?limit=1", by=ADMIN)
    assert [one["id"] for one in page.json] == [min(ann, ben)]
    assert f"after={min(ann, ben)}" in page.headers["Link"]
    shown = (await users.send("GET", f"/accounts/{ann}", by=ADMIN)).json
    assert (shown["handle"], "address" in shown) == ("ann", False)


async def test_groups_are_joined_and_left_and_their_scopes_are_in_new_tokens(users: Users) -> None:
    account = await users.register()
    group = {"description": "They lend", "scopes": ["files:write"]}
    assert (await users.send("PUT", f"/accounts/{account}/groups/lenders", None, ADMIN)).status == 404
    defined = await users.send("PUT", "/accounts/groups/lenders", group, ADMIN)
    assert (defined.status, defined.json["scopes"]) == (200, ["files:write"])
    assert (await users.send("PUT", f"/accounts/{account}/groups/lenders", None, ADMIN)).status == 204
    token = (await users.sign_in()).json
    assert token["scope"] == "read write shop:buy files:write"
    assert (await users.send("DELETE", f"/accounts/{account}/groups/lenders", None, ADMIN)).status == 204
    refreshed = await users.send("POST", "/accounts/refresh", {"refresh_token": token["refresh_token"]})
    assert refreshed.status == 401
    await users.caught_up()
    names = [one["name"] for one in (await users.send("GET", "/accounts/groups", by=ADMIN)).json]
    assert names == ["reader", "customer", "manager", "moderator", "admin", "lenders"]
    assert (await users.send("DELETE", "/accounts/groups/lenders", None, ADMIN)).status == 204
    assert (await users.send("DELETE", "/accounts/groups/reader", None, ADMIN)).status == 409


async def test_an_admin_ends_sessions_and_forgets_people(users: Users) -> None:
    account = await users.register()
    token = (await users.sign_in()).json["refresh_token"]
    assert (await users.send("DELETE", f"/accounts/{account}/sessions", None, ADMIN)).status == 204
    assert (await users.send("POST", "/accounts/refresh", {"refresh_token": token})).status == 401
    assert (await users.send("DELETE", f"/accounts/{account}", None, ADMIN)).status == 202
    assert (await users.send("GET", f"/accounts/{account}", None, ADMIN)).status == 404
