"""Managers add, change and remove products and categories; wrong values are refused."""

from support.shelf import Answered
from support.shop import Shop

BOOK = {"name": "Emma", "price": {"amount": 850, "currency": "EUR"}, "units": 2, "vat_permille": 70}


async def test_a_product_is_added_once_for_a_key_changed_and_removed() -> None:
    async with Shop() as shop:
        novels = (await shop.send("products", "POST", "/shop/categories", {"name": "Novels"})).json
        book = {**BOOK, "category": novels["id"], "attributes": {"age_months": 120, "cover": "hard"}}
        added = await shop.send("products", "POST", "/shop/products", book, Idempotency_Key="k")
        again = await shop.send("products", "POST", "/shop/products", book, Idempotency_Key="k")
        assert (added.status, again.status, again.body) == (201, 201, added.body)
        where = added.headers["Location"]
        assert where == f"/shop/products/{added.json['id']}"
        shown = (await shop.get("products", where)).json
        assert (shown["name"], shown["availability"], shown["category"]) == ("Emma", "few", novels["id"])
        changes = {"name": "Emma (1815)", "price": {"amount": 900, "currency": "EUR"}, "category": ""}
        changed = await shop.send("products", "PATCH", where, changes)
        assert changed.status == 200, changed.body
        shown = (await shop.get("products", where)).json
        assert (shown["name"], shown["price"]["amount"], shown["vat_permille"]) == ("Emma (1815)", 900, 70)
        assert "category" not in shown
        assert (await shop.send("products", "DELETE", where)).status == 204
        assert (await shop.get("products", where)).json["removed"] is True
        assert (await shop.send("products", "PATCH", where, {"name": "X"})).status == 404


async def test_a_category_with_products_is_removed_only_with_another_one_for_them() -> None:
    async with Shop() as shop:
        first, second = [
            (await shop.send("products", "POST", "/shop/categories", {"name": name})).json["id"]
            for name in ("Novels", "Fiction")
        ]
        await shop.send("products", "POST", "/shop/products", {**BOOK, "category": first})
        renamed = await shop.send("products", "PATCH", f"/shop/categories/{second}", {"name": "Tales"})
        assert renamed.json == {"id": second, "name": "Tales"}
        assert (await shop.get("products", f"/shop/categories/{first}")).json["products"] == 1
        where = f"/shop/categories/{first}"
        assert (await shop.send("products", "DELETE", where)).status == 409
        assert (await shop.send("products", "DELETE", f"{where}?move-to={first}")).status == 409
        assert (await shop.send("products", "DELETE", f"{where}?move-to=c-9")).status == 422
        assert (await shop.send("products", "DELETE", f"{where}?move-to={second}")).status == 204
        assert (await shop.get("products", f"/shop/categories/{second}")).json["products"] == 1
        assert (await shop.get("products", where)).status == 404
        assert (await shop.send("products", "PATCH", where, {"name": "X"})).status == 404


async def test_what_is_changed_is_seen_after_its_position() -> None:
    async with Shop() as shop:

        async def sent(method: str, target: str, body: object = None, after: str = "") -> Answered:
            answer = await shop.send("products", method, target, body, Bookshelf_After=after)
            assert answer.status < 300, answer.body
            return answer

        category = await sent("POST", "/shop/categories", {"name": "Novels"})
        where = category.headers["Location"]
        renamed = await sent("PATCH", where, {"name": "Tales"})
        after = renamed.headers["Bookshelf-Position"]
        assert (await sent("GET", where, after=after)).json["name"] == "Tales"
        book = {**BOOK, "category": category.json["id"]}
        added = await sent("POST", "/shop/products", book, after=after)
        product, after = added.headers["Location"], added.headers["Bookshelf-Position"]
        assert (await sent("GET", product, after=after)).json["name"] == "Emma"
        # the category has a product by now, whenever the view gets to know that
        refused = await shop.send("products", "DELETE", where, Bookshelf_After=after)
        assert refused.status == 409
        other = await sent("POST", "/shop/categories", {"name": "Poems"})
        removed = await sent("DELETE", f"{where}?move-to={other.json['id']}", after=after)
        after = removed.headers["Bookshelf-Position"]
        moved = await sent("GET", product, after=after)
        assert moved.json["category"] == other.json["id"]
        changed = await sent("PATCH", product, {"category": ""}, after=after)
        after = changed.headers["Bookshelf-Position"]
        assert "category" not in (await sent("GET", product, after=after)).json
        gone = await sent("DELETE", product)
        after = gone.headers["Bookshelf-Position"]
        assert (await sent("GET", product, after=after)).json["removed"] is True
        for method, target in ("POST", "/shop/products"), ("PATCH", product), ("DELETE", where):
            fields = BOOK if method == "POST" else {"name": "Emma"}
            malformed = await shop.send("products", method, target, fields, Bookshelf_After="x")
            assert malformed.status == 400, (method, target)


WRONG: list[dict[str, object]] = [
    {"name": ""},
    {"name": "E\x00"},
    {"name": "E\u202e"},
    {"name": "E" * 201},
    {"price": {"amount": 19.99, "currency": "EUR"}},
    {"price": {"amount": -1, "currency": "EUR"}},
    {"price": {"amount": 10**9 + 1, "currency": "EUR"}},
    {"price": {"amount": 1, "currency": "USD"}},
    {"vat_permille": 1001},
    {"units": -1},
    {"category": "c-9"},
    {"attributes": {str(number): 1 for number in range(21)}},
    {"attributes": {"age_months": 1201}},
    {"attributes": {"age_months": "old"}},
    {"id": "p-1"},
]


async def test_wrong_fields_of_a_product_are_refused() -> None:
    async with Shop() as shop:
        for wrong in WRONG:
            answer = await shop.send("products", "POST", "/shop/products", {**BOOK, **wrong})
            assert answer.status == 422, (wrong, answer.body)
        assert await shop.records() == []
