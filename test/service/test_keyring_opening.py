"""How a process opens its keyring: created at the first start with accounts, and needed ever after."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.fixed_infrastructure import FixedClock
from support.postgres import Server

from bookshelf.cli.keyring import open_embedded_seals, open_shared_seals
from bookshelf.cli.start_secret import StartSecret
from bookshelf.config import Network, Settings, WrongSetting
from bookshelf.keyring.port import KeyringFault
from bookshelf.runtime.keyring_backup import KEYRING_FILE
from bookshelf.runtime.sealing import Seals
from bookshelf.storage.postgres.settings import PostgresSettings

ACCOUNTS_FILE = "accounts.secret"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


def settings(data: Path, **given: str) -> Settings:
    return Settings(data=str(data), **{"accounts": "on", **given})  # type: ignore[arg-type]  # texts


async def shared(chosen: Settings, network: Network, stack: AsyncExitStack) -> Seals:
    return await open_shared_seals(chosen, StartSecret(chosen), network, FixedClock(), stack)


async def opened(data: Path, stack: AsyncExitStack, **given: str) -> Seals:
    chosen = settings(data, **given)
    return await open_embedded_seals(chosen, StartSecret(chosen), data, FixedClock(), stack)


async def sealed(data: Path) -> str:
    """Start with accounts, stop, and return a text that was sealed meanwhile."""
    async with AsyncExitStack() as stack:
        return (await (await opened(data, stack)).cipher("a-1")).seal("notes", "mine")


async def test_without_accounts_the_first_use_makes_the_files(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        seals = await opened(tmp_path, stack, accounts="off")
        assert await seals.refresh() == ""
        assert list(tmp_path.iterdir()) == []
        texts = await asyncio.gather(*(seals.cipher("invoices-2026") for _ in "12"))
        text = texts[0].seal("address", "mine")
        assert await seals.open(text, "address") == "mine"
        assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
        assert {KEYRING_FILE, ACCOUNTS_FILE} <= {path.name for path in tmp_path.iterdir()}
        await seals.forget("invoices-2026")
        assert await seals.open(text, "address") is None
    async with AsyncExitStack() as stack:
        seals = await opened(tmp_path, stack)
        assert await seals.open(text, "address") is None


async def test_a_first_use_without_the_lost_keyring_is_refused_and_logged(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    await sealed(tmp_path)
    (tmp_path / KEYRING_FILE).unlink()
    seals = await opened(tmp_path, stack, accounts="off")
    with capture_logs() as logged, pytest.raises(KeyringFault, match=r"keyring\.sqlite is missing"):
        await seals.cipher("invoices-2026")
    assert [entry["event"] for entry in logged] == ["keyring-unreachable"]


@pytest.mark.parametrize("accounts", ["on", "off"])
async def test_later_starts_open_the_texts_of_the_first(
    tmp_path: Path, stack: AsyncExitStack, accounts: str
) -> None:
    text = await sealed(tmp_path)
    assert {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {
        KEYRING_FILE: 0o600,
        ACCOUNTS_FILE: 0o600,
    }
    seals = await opened(tmp_path, stack, accounts=accounts)
    assert await seals.open(text, "notes") == "mine"


def _remove(path: Path) -> None:
    path.unlink()


def _exchange(path: Path) -> None:
    path.write_bytes(b"another secret of enough bytes")


@pytest.mark.parametrize(
    ("file", "damage", "named"),
    [
        (ACCOUNTS_FILE, _remove, r"accounts_secret_file .*accounts\.secret"),
        (ACCOUNTS_FILE, _exchange, "accounts_secret_file"),
        (KEYRING_FILE, _remove, r"keyring\.sqlite is missing"),
        (KEYRING_FILE, _exchange, r"keyring\.sqlite cannot be used"),
    ],
)
async def test_a_start_without_its_keyring_or_secret_ends_and_names_it(
    tmp_path: Path, stack: AsyncExitStack, file: str, damage: Callable[[Path], None], named: str
) -> None:
    await sealed(tmp_path)
    damage(tmp_path / file)
    with pytest.raises(WrongSetting, match=named):
        await opened(tmp_path, stack)


async def test_a_secret_file_that_is_given_first_makes_a_new_keyring(
    tmp_path: Path, stack: AsyncExitStack
) -> None:
    given = tmp_path / "given"
    _exchange(given)
    seals = await opened(tmp_path, stack, accounts_secret_file=str(given))
    assert seals.keyring is not None


async def test_instances_with_accounts_need_a_database(tmp_path: Path, stack: AsyncExitStack) -> None:
    with pytest.raises(WrongSetting, match="storage"):
        await shared(settings(tmp_path), Network(), stack)
    off = await shared(settings(tmp_path, accounts="off"), Network(), stack)
    assert off.keyring is None


@pytest.mark.needs("postgres")
async def test_instances_share_the_keyring_of_their_database(
    tmp_path: Path, stack: AsyncExitStack, postgres_server: Server
) -> None:
    url = postgres_server.url(await stack.enter_async_context(postgres_server.database()))
    network = Network(storage=PostgresSettings(url=url))
    with pytest.raises(WrongSetting, match=r"accounts_secret_file .*accounts\.secret"):
        await shared(settings(tmp_path), network, stack)
    _exchange(tmp_path / ACCOUNTS_FILE)
    one, other = [await shared(settings(tmp_path), network, stack) for _ in "12"]
    text = (await one.cipher("a-1")).seal("notes", "mine")
    assert await other.open(text, "notes") == "mine"


@pytest.mark.needs("postgres")
async def test_without_accounts_the_first_instance_makes_the_secret_file_that_is_set(
    tmp_path: Path, stack: AsyncExitStack, postgres_server: Server
) -> None:
    url = postgres_server.url(await stack.enter_async_context(postgres_server.database()))
    network, secret = Network(storage=PostgresSettings(url=url)), tmp_path / "shop.secret"
    shop = settings(tmp_path, accounts="off", accounts_secret_file=str(secret))
    one, other = [await shared(shop, network, stack) for _ in "12"]
    text = (await one.cipher("invoices-2026")).seal("address", "mine")
    assert await other.open(text, "address") == "mine"
    _exchange(secret)
    with pytest.raises(WrongSetting, match="accounts_secret_file"):
        await shared(shop, network, stack)
