"""A key that a backup has brought back is destroyed again when `users` starts."""

from support.users import PASSWORD, USERS, Users, caller

from bookshelf.accounts.handlers.parts import forget_again
from bookshelf.keyring.memory import MemoryKeyTable
from bookshelf.keyring.port import KeyringFault


class AbsentKeyTable(MemoryKeyTable):
    """The keyring where accounts are off: there is none."""

    async def cleared(self) -> frozenset[str]:
        """Raise `KeyringFault`."""
        raise KeyringFault("this needs a keyring")


async def test_keys_of_forgotten_and_rejected_people_are_destroyed_again(users: Users) -> None:
    ann = await users.register()
    kept = users.table.rows[ann]
    other = await users.register(handle="ben", email="ben@example.org")
    forgotten = await users.send("DELETE", "/accounts/me", {"password": PASSWORD}, caller(ann))
    assert forgotten.status == 202
    assert await users.keyring.destroyed() == {ann}  # at once
    users.table.rows[ann] = kept
    await users.caught_up()
    for _ in range(2):
        await forget_again(users.host._ports)  # noqa: SLF001 (what its tasks get)
    assert await users.keyring.destroyed() == {ann}
    assert await users.keyring.find(other)


async def test_no_keyring_is_asked_for_where_no_account_was_ever_forgotten() -> None:
    async with Users(table=AbsentKeyTable()) as users:
        await forget_again(users.host._ports)  # noqa: SLF001 (what its tasks get)


def test_the_service_does_so_at_each_start() -> None:
    assert USERS.loaded().tasks == (forget_again,)
