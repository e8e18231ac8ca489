"""What every keyring does, on whichever table."""

import asyncio
from datetime import timedelta

import pytest
from support.fixed_infrastructure import NOW, FixedClock

from bookshelf.keyring.keyring import KEY_BYTES, Keyring
from bookshelf.keyring.port import KeyDestroyed, KeyringFault, KeyTable

SECRET = b"the content of a secret file"


class KeyringContract:
    """Inherit, and give fixtures `table` and `other`: the same table, as two instances open it."""

    @pytest.fixture
    def clock(self) -> FixedClock:
        return FixedClock()

    @pytest.fixture
    def keyring(self, table: KeyTable, clock: FixedClock) -> Keyring:
        return Keyring(table, SECRET, clock.now)

    @pytest.fixture
    def elsewhere(self, other: KeyTable, clock: FixedClock) -> Keyring:
        return Keyring(other, SECRET, clock.now)

    async def test_a_key_is_made_once_and_found_again(self, keyring: Keyring, elsewhere: Keyring) -> None:
        assert await keyring.find("a-1") is None
        made = await keyring.make("a-1")
        assert len(made) == KEY_BYTES
        assert await keyring.make("a-1") == await elsewhere.find("a-1") == made
        assert await keyring.make("a-2") != made

    async def test_instances_that_ask_at_once_get_the_same_key(
        self, keyring: Keyring, elsewhere: Keyring
    ) -> None:
        async with asyncio.timeout(30):
            keys = await asyncio.gather(*(ring.make("a-1") for ring in [keyring, elsewhere] * 8))
        assert len(set(keys)) == 1

    async def test_a_given_secret_is_kept(self, keyring: Keyring, elsewhere: Keyring) -> None:
        assert await keyring.make("sign-2026-03", b"a signing key") == b"a signing key"
        assert await elsewhere.make("sign-2026-03", b"another") == b"a signing key"

    async def test_a_key_is_stored_wrapped(self, keyring: Keyring, table: KeyTable) -> None:
        made = await keyring.make("a-1")
        stored = await table.get("a-1")
        assert stored is not None
        assert stored.wrapped is not None
        assert made not in stored.wrapped
        assert stored.created == NOW

    async def test_a_destroyed_key_never_comes_back(self, keyring: Keyring, elsewhere: Keyring) -> None:
        await keyring.make("a-1")
        await keyring.destroy("a-1", "a-never-used")
        await keyring.destroy("a-1")
        for ring in (keyring, elsewhere):
            for key_id in ("a-1", "a-never-used"):
                with pytest.raises(KeyDestroyed):
                    await ring.find(key_id)
                with pytest.raises(KeyDestroyed):
                    await ring.make(key_id)
            assert await ring.destroyed() == {"a-1", "a-never-used"}

    async def test_an_expired_key_is_destroyed(
        self, keyring: Keyring, elsewhere: Keyring, clock: FixedClock
    ) -> None:
        await keyring.make("invoices-2026", expires=NOW + timedelta(days=2))
        await keyring.make("invoices-2027", expires=NOW + timedelta(days=400))
        clock.move(timedelta(days=2))
        with pytest.raises(KeyDestroyed):
            await elsewhere.find("invoices-2026")
        clock.move(timedelta(days=400))
        assert await keyring.destroyed() == {"invoices-2026", "invoices-2027"}

    async def test_the_ids_with_a_prefix_are_listed(
        self, keyring: Keyring, table: KeyTable, clock: FixedClock
    ) -> None:
        await keyring.make("sign-2026-02", expires=NOW + timedelta(days=1))
        for key_id in ("sign-2026-04", "sign-2026-03", "a-1", "SIGN-2026-05", "sign%"):
            await keyring.make(key_id)
        await keyring.destroy("sign%")
        clock.move(timedelta(days=1))
        assert await keyring.ids("sign") == ["sign-2026-03", "sign-2026-04"]
        assert await table.cleared() == {"sign%"}  # a list writes nothing

    async def test_another_secret_is_detected_when_the_keyring_is_opened(
        self, table: KeyTable, other: KeyTable, clock: FixedClock
    ) -> None:
        await Keyring.open(table, SECRET, clock.now)
        await Keyring.open(other, SECRET, clock.now)
        with pytest.raises(KeyringFault, match="accounts_secret_file"):
            await Keyring.open(other, b"another", clock.now)

    async def test_a_wrapped_key_under_another_id_is_refused(self, keyring: Keyring, table: KeyTable) -> None:
        await keyring.make("a-1")
        stored = await table.get("a-1")
        assert stored is not None
        await table.add(type(stored)("a-2", stored.wrapped, stored.created))
        with pytest.raises(KeyringFault):
            await keyring.find("a-2")
