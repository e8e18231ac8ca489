"""`bookshelf admin` at a running shelf that is the one node of its domain: each command, each exit code."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from support.client import Client
from support.until import eventually

from bookshelf.cli.embedded import Embedded, embedded
from bookshelf.cli.main import main
from bookshelf.config import read
from bookshelf.services import SERVICES

CLOSED = 'state = "closed"\nmessage = "Counting the books."\n'


class Administered(NamedTuple):
    """A running shelf, its data folder, and its repository."""

    shelf: Embedded
    data: Path
    repository: Path

    async def add_book(self) -> int:
        """Add a book by the gateway; return the status."""
        client = Client(self.shelf.url, "/bookshelf")
        book = {"title": "Dune", "author": "Frank Herbert", "published": "1965"}
        return (await asyncio.to_thread(client.post, "/books", book)).status

    async def run(self, *command: str) -> tuple[int, str]:
        """Run `bookshelf admin`; return its exit code and what it prints."""
        arguments = ["admin", "--data", str(self.data), *command]
        done = await asyncio.to_thread(lambda: CliRunner().invoke(main, arguments))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output


@pytest.fixture
async def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Administered]:
    repository = tmp_path / "repository"
    repository.mkdir()
    monkeypatch.setenv("BOOKSHELF_CLUSTER_DOMAIN", "blue")
    monkeypatch.setenv("BOOKSHELF_CLUSTER_REPOSITORY", str(repository))
    data = tmp_path / "data"
    settings = read({}, data=str(data), port=0, service_ports="auto")
    services = [s for s in SERVICES if s.name in {"newbook", "booklist", "rollouts"}]
    async with asyncio.timeout(60), embedded(settings, services) as shelf:
        yield Administered(shelf, data, repository)


async def test_a_policy_is_prepared_committed_and_in_force(node: Administered, tmp_path: Path) -> None:
    policy = tmp_path / "closed.toml"
    policy.write_text(CLOSED)
    code, text = await node.run("apply-policy", "newbook", str(policy))
    assert (code, "one change is ready on one node" in text) == (0, True), text
    assert "is open: prepared, one change" in (await node.run("status"))[1]
    assert await node.add_book() == 201
    code, text = await node.run("commit")
    assert (code, "committed; revision 1" in text) == (0, True), text
    assert await node.add_book() == 503
    assert (await node.run("status"))[1].startswith("Revision 1; no rollout is open; nodes: shelf")
    assert (await node.run("apply-policy", "newbook", str(policy), "--commit"))[1].startswith("Nothing")


async def test_a_rollback_ends_a_prepared_rollout(node: Administered, tmp_path: Path) -> None:
    policy = tmp_path / "closed.toml"
    policy.write_text(CLOSED)
    await node.run("apply-policy", "newbook", str(policy), "--barrier", "prepare")
    code, text = await node.run("rollback")
    assert (code, "aborted" in text) == (0, True), text
    assert await node.add_book() == 201
    assert (await node.run("commit"))[0] == 2


async def test_a_script_whose_third_command_is_defective_changes_nothing(
    node: Administered, tmp_path: Path
) -> None:
    (node.repository / "config.toml").write_text("gateway_compress = false\n")
    policy, bad = tmp_path / "closed.toml", tmp_path / "bad.toml"
    policy.write_text(CLOSED)
    bad.write_text('state = "shut"\n')
    script = [
        ("apply-policy", "newbook", str(policy)),
        ("reload-config",),
        ("apply-policy", "booklist", str(bad)),
        ("commit",),
    ]
    codes: list[int] = []
    for command in script:  # each is followed by `&&`
        codes.append((await node.run(*command))[0])
        if codes[-1]:
            codes.append((await node.run("rollback"))[0])
            break
    assert codes == [0, 0, 2, 0]
    assert (await node.run("status"))[1].startswith("Revision 0; no rollout is open")
    assert await node.add_book() == 201


async def test_members_and_history_are_listed(node: Administered, tmp_path: Path) -> None:
    policy = tmp_path / "closed.toml"
    policy.write_text(CLOSED)
    await node.run("apply-policy", "newbook", str(policy), "--commit")

    async def is_listed() -> bool:
        code, text = await node.run("history")
        return (code, "committed  revision 1" in text) == (0, True)

    await eventually(is_listed, "the rollout is listed")
    code, text = await node.run("members")
    assert (code, text.startswith("shelf  http://"), "newbook" in text) == (0, True, True), text
    assert "differs" not in text
    code, text = await node.run("--json", "members")
    found = json.loads(text)
    assert (code, found["members"][0]["node"], found["differences"]) == (0, "shelf", [])


async def test_reload_config_takes_the_settings_of_the_repository(node: Administered) -> None:
    (node.repository / "config.toml").write_text("gateway_compress = true\n")
    code, text = await node.run("reload-config", "--commit")
    assert (code, "committed; revision 1" in text) == (0, True), text
    assert (await node.run("reload-config"))[1].startswith("Nothing changes")
    (node.repository / "config.toml").unlink()
    assert "revision 2" in (await node.run("reload-config", "--commit"))[1]


async def test_what_is_not_valid_is_refused(node: Administered, tmp_path: Path) -> None:
    (node.repository / "config.toml").write_text("gateway_compres = true\n")
    code, text = await node.run("reload-config")
    assert (code, "gateway_compress" in text) == (2, True), text
    policy = tmp_path / "bad.toml"
    policy.write_text('[route."POST /boks"]\nstate = "closed"\n')
    code, text = await node.run("apply-policy", "newbook", str(policy))
    assert (code, "policies/newbook.toml:1:1" in text, "POST /books" in text) == (2, True, True), text
    (node.repository / "config.toml").unlink()
    (node.repository / "gateway.toml").write_text('[[forbid]]\npth = "/x"\n')
    code, text = await node.run("reload-config")
    assert (code, "gateway.toml:2:1: forbid.0.pth does not exist" in text) == (2, True), text
    assert (await node.run("load", "A"))[0] == 2


async def test_unloading_what_is_not_loaded_changes_nothing(node: Administered) -> None:
    code, text = await node.run("unload", "counters")
    assert (code, text.startswith("Nothing changes")) == (0, True), text


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"kind": "package", "name": "counters", "digest": "0" * 64}, "the embedded log has one process"),
        (
            {"kind": "policy", "name": "newbok", "content": ""},
            "there is no service newbok; did you mean newbook?",
        ),
        ({"kind": "policy", "name": "newbook", "content": 'state = "opn"'}, "one of closed, open, read-only"),
        (
            {"kind": "gateway", "content": "[limits]\nrequests = 0\n"},
            "gateway.toml:2:1: limits.requests must be",
        ),
        ({"kind": "settings", "content": 'log_level = "loud"\n'}, "log_level must be one of"),
    ],
)
async def test_what_no_node_can_load_opens_no_rollout(
    node: Administered, change: dict[str, str], detail: str
) -> None:
    client = Client(node.shelf.url, "/bookshelf")
    right = {"kind": "settings", "content": "gateway_compress = true\n"}
    reply = await asyncio.to_thread(client.post, "/cluster/rollouts", {"changes": [right, change]})
    assert (reply.status, reply.json["errors"][0]["pointer"]) == (422, "/changes/1")
    assert detail in reply.json["detail"]
    assert (await asyncio.to_thread(client.get, "/cluster/status")).json["rollout"] == ""


async def test_a_node_that_does_not_run_gives_no_result(tmp_path: Path) -> None:
    arguments = ["admin", "--node", "http://127.0.0.1:9", "status"]
    done = await asyncio.to_thread(lambda: CliRunner().invoke(main, arguments))
    assert done.exit_code == 4
    arguments = ["admin", "--data", str(tmp_path), "status"]
    done = await asyncio.to_thread(lambda: CliRunner().invoke(main, arguments))
    assert done.exit_code == 2
