"""Several processes at one port: they all take connections, one that is killed comes back, all leave."""

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from support.consul import Agent
from support.foreign_services import visiting
from support.gateway_sockets import asks, response_to, status
from support.process import Process, bookshelf
from support.until import until
from support.upstream import DEADLINE_S, HOST, Service, eventually

from bookshelf.http.message import Response
from bookshelf.http.server import free_port

pytestmark = pytest.mark.needs("consul")
GET = asks("GET", "/bookshelf/guests")


@pytest.fixture
async def foreign_service(consul_agent: Agent) -> AsyncIterator[Service]:
    async with visiting(consul_agent, Response(200, {}, b"done")) as service:
        yield service


@asynccontextmanager
async def shared(agent: Agent, port: int, env: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    at = ("--consul", f"{HOST}:{agent.ports.http}", "--port", str(port))
    made = Process("run", "gateway", "--processes", "2", *at, env=env)
    try:
        await asyncio.to_thread(
            until, lambda: "(2 processes)" in made.printed or not made.alive, "it is ready"
        )
        assert made.alive, made.ended()
        yield made
    finally:
        made.kill()


def workers(parent: int) -> set[int]:
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    return set(map(int, children.split()))


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def asked(port: int) -> bytes:
    """Ask until someone answers, as a client does that tries again."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            with suppress(OSError):
                answer = await response_to(port, GET)
                if answer:
                    return answer
            await asyncio.sleep(0.01)  # sleep: before another try


async def told_by(port: int) -> str:
    answer = await response_to(port, asks("GET", "/gateway"))
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["process"])


async def both_answer(port: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        found: set[str] = set()
        while found != {"1 of 2", "2 of 2"}:
            with suppress(OSError, ValueError):
                found.add(await told_by(port))


async def test_all_workers_accept_connections_and_a_killed_one_is_restarted(
    consul_agent: Agent, foreign_service: Service
) -> None:
    port = free_port()
    async with shared(consul_agent, port) as running:
        await both_answer(port)
        metrics = await response_to(port, asks("GET", "/metrics"))
        assert b'bookshelf_gateway_breaker{process="' in metrics
        before = workers(running.pid)
        os.kill(next(iter(before)), signal.SIGKILL)
        answers = [status(answer) for answer in await asyncio.gather(*(asked(port) for _ in range(200)))]
        assert answers == [200] * 200
        await both_answer(port)
        assert len(workers(running.pid) - before) == 1
        assert foreign_service.asked


async def test_all_workers_drain_on_sigterm(consul_agent: Agent, foreign_service: Service) -> None:
    async def slowly(_request: object) -> Response:
        await asyncio.sleep(0.2)  # sleep: so that requests are in progress at the signal
        return Response(200, {}, b"done")

    foreign_service.answers = [slowly]
    port = free_port()
    async with shared(consul_agent, port) as running:
        both = workers(running.pid)
        asking = [asyncio.ensure_future(response_to(port, GET)) for _ in range(20)]
        await eventually(lambda: len(foreign_service.asked) == len(asking))
        running.send(signal.SIGTERM)
        assert [status(answer) for answer in await asyncio.gather(*asking)] == [200] * len(asking)
        assert (await asyncio.to_thread(running.ended)).well
        assert not any(map(alive, both))


async def test_no_worker_outlives_its_supervisor(consul_agent: Agent, foreign_service: Service) -> None:
    async with shared(consul_agent, free_port()) as running:
        both = workers(running.pid)
        os.kill(running.pid, signal.SIGKILL)
        await eventually(lambda: not any(map(alive, both)))
    assert not foreign_service.asked


async def test_sighup_reaches_all_workers(consul_agent: Agent, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("")
    env = {"BOOKSHELF_GATEWAY_RULES": str(rules), "BOOKSHELF_LOG_LEVEL": "info"}
    async with shared(consul_agent, free_port(), env) as running:
        assert "rules-changed" not in running.warned
        running.send(signal.SIGHUP)
        await eventually(lambda: running.warned.count("rules-changed") == 2)


@pytest.mark.parametrize("more", [{}, {"BOOKSHELF_GATEWAY_PROCESSES": "3"}])
def test_a_wrong_setting_is_reported_once(more: dict[str, str]) -> None:
    args = () if more else ("--processes", "3")
    ended = bookshelf("run", "gateway", *args, env={"BOOKSHELF_GATEWAY_JWKS": "keys.json", **more})
    assert "gateway_issuer" in ended.complaint


def test_a_port_of_another_program_is_not_shared() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        ended = bookshelf("run", "gateway", "--processes", "2", "--port", str(other.getsockname()[1]))
        assert "is taken" in ended.complaint


def test_the_port_of_a_service_is_not_shared() -> None:
    assert "--processes" in bookshelf("run", "newbook", "--processes", "2").complaint


@pytest.mark.usefixtures("foreign_service")
async def test_the_log_level_of_all_processes_is_changed_without_a_restart(
    consul_agent: Agent, tmp_path: Path
) -> None:
    port = free_port()

    async def set_level(level: str) -> None:
        changed = await asyncio.to_thread(bookshelf, "log-level", level, "--data", tmp_path)
        lines = [f"gateway-{port}-{number}: log level {level}\n" for number in (1, 2)]
        assert changed.well == "".join(lines)

    async with shared(consul_agent, port, {"BOOKSHELF_DATA": str(tmp_path)}) as running:
        await set_level("warning")
        before = running.warned.count('"event":"request"')
        await both_answer(port)
        assert running.warned.count('"event":"request"') == before
        await set_level("info")
        await both_answer(port)
        assert running.warned.count('"event":"request"') >= before + 2
        listed = await asyncio.to_thread(
            bookshelf, "dlq", "list", "--data", tmp_path, "--instance", f"gateway-{port}-1"
        )
        assert "this process has no services; only its log level can be set" in listed.complaint


@pytest.mark.usefixtures("foreign_service")
async def test_a_gateway_without_a_writable_data_folder_runs_without_an_admin_api(
    consul_agent: Agent, tmp_path: Path
) -> None:
    port = free_port()
    (tmp_path / "run").write_text("")
    async with shared(consul_agent, port, {"BOOKSHELF_DATA": str(tmp_path)}) as running:
        await both_answer(port)
        assert running.warned.count('"event":"admin-api-not-opened"') == 2
