"""`bookshelf admin` while the result of a rollout is not known yet."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from bookshelf.cli.main import main
from bookshelf.http.message import Request, Response
from bookshelf.http.server import HttpServer


class SlowDomain:
    """A domain whose nodes have not voted when the answer is due; it notes how long it may wait."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    async def handle(self, request: Request) -> Response:
        """Answer where the rollout is."""
        status = 200
        if request.method == "POST":
            self.waits.append(msgspec.json.decode(await request.body.read(1 << 16))["wait"])
            status = 202
        state = {"rollout": "r1", "state": "load", "changes": 1, "revision": 3, "nodes": ["one"]}
        return Response(status, {"Content-Type": "application/json"}, msgspec.json.encode(state))


@pytest.mark.parametrize("command", [("apply-policy", "newbook", "POLICY"), ("commit",), ("rollback",)])
async def test_a_result_that_is_not_known_in_time_has_an_exit_code_of_its_own(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    policy = tmp_path / "closed.toml"
    policy.write_text('state = "closed"\n')
    domain = SlowDomain()
    server = HttpServer(domain, "127.0.0.1", 0)
    await server.start()
    try:
        arguments = ["admin", "--node", f"http://127.0.0.1:{server.port}"]
        arguments += [str(policy) if one == "POLICY" else one for one in command]
        done = await asyncio.to_thread(lambda: CliRunner().invoke(main, arguments))
    finally:
        await server.stop()
    assert (done.exit_code, "Rollout r1: load; revision 3." in done.output) == (4, True), done.output
    assert domain.waits == [60.0]  # a group may take half a minute to load
