"""Planted secrets: what real processes log at the level `debug` has no token, cookie or session value."""

import subprocess
import sys
from pathlib import Path

import pytest
from support.client import Client
from support.consul import Agent
from support.instance import names_of_its_own
from support.kafka import Broker
from support.process import ROOT, bookshelf, environment
from support.program import Program
from system.test_sessions import HEADER, StatefulNode

TOKEN, COOKIE, VALUE = "pl4nted-token", "pl4nted-cookie", "pl4nted-value"


def found_in(text: str, *secrets: str) -> list[str]:
    return [secret for secret in secrets if secret in text]


def test_a_shelf_in_a_domain_logs_no_token_and_no_cookie(tmp_path: Path) -> None:
    env = {"BOOKSHELF_CLUSTER_DOMAIN": "blue", "BOOKSHELF_LOG_LEVEL": "debug"}
    with Program(tmp_path / "data", env=env).ready() as shelf:
        right, admin = shelf.note.token, Client(f"http://{shelf.note.control_host}:{shelf.note.control_port}")
        given = {
            "Authorization": f"Bearer {TOKEN}",
            "Cookie": f"__Host-bookshelf-client={COOKIE}; bookshelf-client={COOKIE}; session={COOKIE}",
            HEADER: COOKIE,
        }
        asked = [
            ("GET", "/books"),
            ("POST", "/books"),
            ("GET", "/cluster/status"),
            ("POST", "/cluster/rollouts"),
        ]
        for client in (shelf.client, admin):
            for method, path in asked:
                client.ask(method, path, {"changes": [{"kind": TOKEN}]}, **given)
        policy = tmp_path / "closed.toml"
        policy.write_text('state = "closed"\n')
        wrong = tmp_path / "token"
        wrong.write_text(TOKEN)
        command = ("admin", "--node", f"http://{shelf.note.control_host}:{shelf.note.control_port}")
        outputs = [
            bookshelf("admin", "--data", tmp_path / "data", "apply-policy", "newbook", policy, "--commit"),
            bookshelf(*command, "--token-file", wrong, "status"),
            bookshelf("admin", "--data", tmp_path / "data", "status"),
        ]
        assert [output.code == 0 for output in outputs] == [True, False, True]
        assert shelf.client.get("/books").status == 200
        logged = shelf.stop().err
    assert '"event":"request"' in logged
    assert found_in(logged + str(outputs), TOKEN, COOKIE, right) == []


@pytest.mark.needs("kafka", "consul")
def test_a_service_with_sessions_logs_no_session(
    kafka_broker: Broker, consul_agent: Agent, tmp_path: Path
) -> None:
    env = {
        "BOOKSHELF_BROKER": kafka_broker.address,
        "BOOKSHELF_CONSUL": f"127.0.0.1:{consul_agent.ports.http}",
        "BOOKSHELF_PORT": "0",
        "BOOKSHELF_LOG_LEVEL": "debug",
        **names_of_its_own(),
    }
    command = [sys.executable, "-m", "support.stateful_program", "stateful", str(tmp_path)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT / "test", env=environment(env), stdin=-1, stdout=-1, stderr=log, text=True
        )
        try:
            node = StatefulNode(process)
            answer = node.client.ask("PUT", "/stateful/value", {"value": VALUE}, **{HEADER: COOKIE})
            session = str(answer.headers[HEADER.lower()])
            mine = {HEADER: session}
            statuses = [
                node.client.ask("PUT", "/stateful/value", {"value": VALUE * 5000}, **mine).status,
                node.client.ask("PUT", "/stateful/value", {VALUE: VALUE}, **mine).status,
                node.client.ask("POST", "/stateful/both", **mine).status,
            ]
        finally:
            process.communicate(timeout=60)
    assert statuses == [413, 422, 500]
    logged = (tmp_path / "log").read_text()
    assert "defect" in logged
    assert found_in(logged, VALUE, COOKIE, session) == []
