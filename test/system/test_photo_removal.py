"""`bookshelf photos remove` on a running gallery with accounts: by a moderator, and by others."""

from pathlib import Path

from support.client import Client
from support.photos import FORM, form
from support.pictures import encoded, gradient
from support.process import Ended, bookshelf
from support.program import Program
from support.users import PASSWORD

PICTURE = encoded(gradient(90, 60), "PNG")


def signed_in(client: Client, handle: str) -> dict[str, str]:
    """Make an account, and return the header of its requests."""
    account = {"handle": handle, "name": handle, "email": f"{handle}@example.org", "password": PASSWORD}
    assert client.post("/accounts", account).status == 201
    tokens = client.post("/accounts/login", {"login": handle, "password": PASSWORD}).json
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def test_a_moderator_removes_a_photo_and_a_comment_for_a_reason(tmp_path: Path) -> None:
    data, password = tmp_path / "data", tmp_path / "password"
    password.write_text(f"{PASSWORD}\n", encoding="utf-8")
    with Program(data, env={"BOOKSHELF_ACCOUNTS": "on"}).ready() as up:
        client = up.client
        ann, ben, moss = (signed_in(client, handle) for handle in ("ann", "ben", "moss"))
        assert bookshelf("accounts", "groups", "moss", "--join", "moderator", "--data", data).well
        made = client.post("/photos", form(PICTURE, title="Low tide"), Content_Type=FORM, **ann)
        photo = made.json["id"]
        comment = client.post(f"/photos/{photo}/comments", {"text": "Where is this?"}, **ann).json["id"]

        def remove(who: str, *what: str) -> Ended:
            login = ("--login", who, "--password-file", password)
            return bookshelf("photos", "remove", *what, *login, "--url", up.note.url)

        assert "--reason" in bookshelf("photos", "remove", photo, "--url", up.note.url).err
        assert "another person" in remove("ben", photo, comment, "--reason", "Rude").complaint
        assert (
            "has accounts" in bookshelf("photos", "remove", photo, "--reason", "x", "--data", data).complaint
        )
        assert "is needed" in remove("moss", photo, "--reason", " ").complaint
        assert "no such photo" in remove("moss", "none", "--reason", "Rude").complaint
        assert client.get(f"/photos/{photo}", **ben).json["comments"] == 1
        assert remove("moss", photo, comment, "--reason", "Rude").well == "The comment is removed.\n"
        assert Client(up.note.url, "/bookshelf").get(f"/photos/{photo}", **ben).json["comments"] == 0
        for _ in range(2):  # the second time there is nothing left to do
            assert remove("moss", photo, "--reason", "It is spam").well == "The photo is removed.\n"
        assert Client(up.note.url, "/bookshelf").get(f"/photos/{photo}", **moss).status == 410
        assert up.stop().well
