"""The gateway's rules, in the program itself: read on a signal, on a change of the file, and at the start."""

import signal
from pathlib import Path

from support.process import bookshelf
from support.program import Program
from support.until import until

CLOSED = '[[forbid]]\npath = "/books/last/read"\n'
TARGET = "/books/last/read"


def test_rules_are_read_again_on_sighup_and_on_a_change_of_the_file(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("")
    with Program(tmp_path / "shelf", env={"BOOKSHELF_GATEWAY_RULES": str(rules)}).ready() as shelf:
        client = shelf.client
        assert client.send("GET", TARGET).status == 200
        rules.write_text(CLOSED)
        shelf.send(signal.SIGHUP)
        until(lambda: client.send("GET", TARGET).status == 403, "the route is closed")
        assert client.send("GET", "/books").status == 200
        rules.write_text("")
        until(lambda: client.send("GET", TARGET).status == 200, "the route is open")
        shelf.stop()


def test_unreadable_rules_are_reported_at_the_start(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[[forbid]]\n")
    env = {"BOOKSHELF_GATEWAY_RULES": str(rules)}
    ended = bookshelf("up", "--data", tmp_path / "shelf", "--port", "0", "--service-ports", "auto", env=env)
    assert f"{rules}: Object missing required field `path`" in ended.complaint
