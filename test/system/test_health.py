"""What containers need: `bookshelf health`, `bookshelf forward`, an address that is found by itself."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.process import bookshelf
from support.program import Program

from bookshelf.cli.forward import PortForwarder
from bookshelf.cli.listen import own_address
from bookshelf.config import WrongSetting


def test_a_ready_shelf_is_healthy(running: Program) -> None:
    ports = running.note.services
    ended = bookshelf("health", "newbook", "--port", str(ports["newbook"]))
    assert (ended.code, ended.out) == (0, "port: 200\n")
    assert bookshelf("health", "--live", "--port", str(running.client.port)).code == 0


def test_a_closed_port_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    ended = bookshelf("health", "--port", str(port))
    assert (ended.code, ended.out) == (1, "port: no answer\n")


def test_a_silent_port_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert bookshelf("health", "--port", str(silent.getsockname()[1])).code == 1


def test_only_names_of_services_are_accepted() -> None:
    assert "newbooks" in bookshelf("health", "newbooks").err
    assert "no service is named nobook" in bookshelf("forward", "nobook=host").complaint


def test_a_check_by_port_loads_no_context() -> None:
    """A container asks every few seconds, for as long as it runs."""
    loaded = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "bookshelf", "health", "--port", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert loaded.stdout == "port: no answer\n"
    assert "http.client" in loaded.stderr
    assert [
        name for name in ("sqlalchemy", "aiohttp", "bookshelf.shelf", "asyncio") if name in loaded.stderr
    ] == []


async def test_a_connection_is_forwarded_both_ways_to_its_end() -> None:
    async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write((await reader.read()).upper())
        writer.close()

    async with await asyncio.start_server(shout, "127.0.0.1", 0) as target:
        port = target.sockets[0].getsockname()[1]
        server = await asyncio.start_server(PortForwarder("127.0.0.1", port).serve, "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.write(b"a book")
            writer.write_eof()
            assert await asyncio.wait_for(reader.read(), 10) == b"A BOOK"
            writer.close()


async def test_a_connection_without_a_target_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    async with await asyncio.start_server(PortForwarder("127.0.0.1", port).serve, "127.0.0.1", 0) as server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_the_own_address_is_the_one_that_leads_to_the_agent() -> None:
    assert await own_address("127.0.0.1:8500") == "127.0.0.1"


async def test_an_unknown_agent_address_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WrongSetting, match="name it with --addr"):
        await own_address(f"{tmp_path.name}.invalid:8500")
