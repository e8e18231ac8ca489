"""The pages of a node at its admin API: signing in, what they show, in both languages."""

import asyncio
import json
from collections.abc import AsyncIterator
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from support.node_browser import NodeBrowser
from support.until import eventually
from support.users import PASSWORD

from bookshelf.cli.embedded import Embedded, embedded
from bookshelf.cli.main import main
from bookshelf.config import read
from bookshelf.runtime.data_folder import InstanceNote, running
from bookshelf.services import SERVICES


class ShownNode(NamedTuple):
    """A running shelf of the domain blue, its note, and a browser."""

    shelf: Embedded
    note: InstanceNote
    browser: NodeBrowser


@pytest.fixture
async def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ShownNode]:
    monkeypatch.setenv("BOOKSHELF_CLUSTER_DOMAIN", "blue")
    monkeypatch.setenv("BOOKSHELF_GATEWAY_COMPRESS", "true")
    settings = read({}, data=str(tmp_path / "data"), port=0, service_ports="auto")
    services = [s for s in SERVICES if s.name in {"newbook", "rollouts"}]
    async with asyncio.timeout(120), embedded(settings, services) as shelf:
        note = running(tmp_path / "data")
        assert note is not None
        yield ShownNode(shelf, note, NodeBrowser(note))


async def test_only_a_browser_with_the_token_sees_the_node(node: ShownNode) -> None:
    browser = node.browser
    for method, target in (("GET", "/console"), ("GET", "/console/settings"), ("POST", "/console/sign-out")):
        answer = await browser.send(method, target)
        assert (answer.status, answer.location) == (303, "/console/token"), target
    assert (await browser.send("GET", "/console/sign-in")).location == "/console/token"  # no accounts
    wrong = await browser.sign_in("guessed-token")
    assert (wrong.status, "This is not its token." in wrong.text) == (422, True), wrong.text
    assert "guessed-token" not in wrong.text
    assert (await browser.send("GET", "/console")).status == 303
    right = await browser.sign_in(node.note.token)
    assert (right.status, right.location) == (303, "/console")
    assert all(word in right.cookie for word in ("HttpOnly", "SameSite=Strict", "Path=/console"))
    assert node.note.token not in right.cookie
    assert (await browser.send("GET", "/console")).status == 200
    assert (await browser.send("GET", "/console/none")).status == 404
    assert (await browser.send("POST", "/console/sign-out")).location == "/console"
    assert (await browser.send("GET", "/console")).status == 303


async def accounts(tmp_path: Path, *command: str) -> None:
    """Run `bookshelf accounts` on the data folder."""
    arguments = ("accounts", *command, "--data", str(tmp_path / "data"))
    done = await asyncio.to_thread(lambda: CliRunner().invoke(main, arguments))
    assert done.exit_code == 0, done.output


async def test_people_with_the_scope_sign_in_by_their_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOKSHELF_CLUSTER_DOMAIN", "blue")
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    password = str(tmp_path / "password")
    settings = read({}, data=str(tmp_path / "data"), port=0, service_ports="auto", accounts="on")
    services = [s for s in SERVICES if s.name in {"newbook", "users", "rollouts"}]
    async with asyncio.timeout(120), embedded(settings, services):
        note = running(tmp_path / "data")
        assert note is not None
        browser = NodeBrowser(note)
        await accounts(
            tmp_path, "create-admin", "ann", "--email", "ann@example.org", "--password-file", password
        )
        first = await browser.send("GET", "/console")
        assert (first.status, first.location) == (303, "/console/sign-in")
        assert "Sign in with the token of the node" in (await browser.send("GET", first.location)).text
        guessed = await browser.sign_in_as("ann", "guessed-password")
        assert (guessed.status, "do not fit together" in guessed.text) == (422, True), guessed
        assert "guessed-password" not in guessed.text
        admitted = await browser.sign_in_as("ann", PASSWORD)
        assert (admitted.status, admitted.location) == (303, "/console"), admitted
        assert "newbook" in (await browser.send("GET", "/console")).text
        await browser.send("POST", "/console/sign-out")
        assert (await browser.send("GET", "/console")).status == 303
        await accounts(tmp_path, "groups", "ann", "--leave", "admin")
        refused = await browser.sign_in_as("ann", PASSWORD)
        assert (refused.status, "may not see the cluster" in refused.text) == (422, True), refused
        assert (await browser.sign_in(note.token)).status == 303  # the token is still a way in
        assert (await browser.send("GET", "/console")).status == 200


async def test_the_page_shows_services_routes_middleware_and_what_a_rollout_has_changed(
    node: ShownNode,
) -> None:
    browser = node.browser
    await browser.sign_in(node.note.token)
    text = (await browser.send("GET", "/console")).text
    assert all(word in text for word in ("blue", "shelf", "newbook", "POST /books", "compression")), text
    assert "It is as the revision and most other nodes are." in text
    assert "Dieser Knoten" in (await browser.send("GET", "/console", language="de")).text
    content = 'deadline_s = 7\n[route."POST /books"]\nrate = "10/minute"\n'
    change = {"kind": "policy", "name": "newbook", "content": content}
    answer = await asyncio.to_thread(propose, node.note, change)
    assert answer == 200

    async def is_shown() -> bool:
        shown = (await browser.send("GET", "/console")).text
        return all(word in shown for word in ("deadline_s = 7", "with a policy", "policy newbook", "Deploy"))

    await eventually(is_shown, "the page shows the policy and the votes for it")


def propose(note: InstanceNote, change: dict[str, str]) -> int:
    """Have a change committed by the admin API; return the status."""

    connection = HTTPConnection(note.control_host, note.control_port, timeout=60)
    body = json.dumps({"changes": [change], "commit": True})
    headers = {"Authorization": f"Bearer {note.token}", "Content-Type": "application/json"}
    connection.request("POST", "/bookshelf/cluster/rollouts", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status
