"""`bookshelf demo`: a bookshop and a gallery that people can sign in to; never over another one."""

from pathlib import Path
from typing import Any

import msgspec
from support.client import Client
from support.process import bookshelf
from support.program import Program
from support.readme import blocks
from support.until import until

from bookshelf.photos.demo.story import MEMBERS


def signed_in(client: Client, person: dict[str, Any]) -> dict[str, str]:
    """Return the headers of a person after signing in."""
    answer = client.ask("POST", "/bookshelf/accounts/login", person)
    assert answer.status == 200, answer
    return {"Authorization": f"Bearer {answer.json['access_token']}"}


def test_the_readme_shows_the_commands_that_are_run_here() -> None:
    shop, gallery = [block.splitlines() for block in blocks() if " demo " in block]
    assert shop == [
        "make setup",
        ".venv/bin/bookshelf demo shop --data my-shop",
        "BOOKSHELF_ACCOUNTS=on .venv/bin/bookshelf up --data my-shop",
    ]
    assert gallery == [
        ".venv/bin/bookshelf demo photos --data my-gallery",
        "BOOKSHELF_ACCOUNTS=on .venv/bin/bookshelf up --data my-gallery",
    ]


def test_the_demo_fills_a_folder_once_and_its_people_sign_in(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = msgspec.json.decode(bookshelf("demo", "shop", "--data", data, "--json").well)
    again = bookshelf("demo", "shop", "--data", data).complaint
    assert again.startswith(f"bookshelf: there is a shop in {data} already; name a new folder")
    with Program(data, env={"BOOKSHELF_ACCOUNTS": "on"}).ready() as up:
        shop = Client(up.note.url)
        categories = shop.get("/bookshelf/shop/categories").json
        assert (len(categories), sum(one["products"] for one in categories)) == (8, 60)
        manager = signed_in(shop, made["manager"])
        revenue = shop.get("/bookshelf/shop/revenue?by=month", **manager).json
        assert len(revenue) >= 12
        assert sum(month["orders"] for month in revenue) > 200
        customer = signed_in(shop, made["customer"])
        orders = shop.get("/bookshelf/shop/orders?limit=100", **customer).json
        assert {order["state"] for order in orders} <= {"FINALIZED", "CANCELED"}
        assert len(orders) > 10
        assert shop.get("/bookshelf/shop/revenue?by=month", **customer).status == 403


def test_the_demo_of_photos_fills_a_folder_once_and_its_people_sign_in(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = msgspec.json.decode(bookshelf("demo", "photos", "--data", data, "--pictures", "2", "--json").well)
    again = bookshelf("demo", "photos", "--data", data).complaint
    assert again.startswith(f"bookshelf: there are photos in {data} already; name a new folder")
    with Program(data, env={"BOOKSHELF_ACCOUNTS": "on"}).ready() as up:
        gallery = Client(up.note.url)

        def photos() -> Any:  # noqa: ANN401 (JSON)
            return gallery.get("/bookshelf/photos?sort=trending").json

        until(lambda: len(photos()) == 2, "the photos are listed")
        best = photos()[0]
        assert best["up"] > best["down"]
        assert best["owner"]["name"] in {member.name for member in MEMBERS}
        member = signed_in(gallery, made["member"])
        moderator = signed_in(gallery, made["moderator"])
        path = f"/bookshelf/photos/{best['id']}"
        vote = gallery.ask("PUT", f"{path}/vote", {"way": "up"}, **member)
        assert vote.status == 200, vote
        assert gallery.ask("DELETE", f"{path}?text=spam", **moderator).status == 204
