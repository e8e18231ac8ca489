"""An account as answers show it, with its sealed texts opened."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.accounts.account import Account
from bookshelf.accounts.group import GROUP, SCOPES, group_key, scopes_of
from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.runtime.sealing import FORGOTTEN


class OpenedAccount(msgspec.Struct, frozen=True, omit_defaults=True):
    """A person's account. Its address is shown to that person only."""

    id: Annotated[str, Meta(examples=["a-0190a5a4-3b00-7000-8000-000000000001"])]
    handle: Annotated[str, Meta(examples=["ann"])]
    name: Annotated[str, Meta(examples=["Ann Reader"])]
    email: Annotated[str, Meta(examples=["ann@example.org"])]
    groups: Sequence[str]
    since: Annotated[str, Meta(examples=["2026-01-31T12:00:00+00:00"])]
    suspended: bool = False
    address: str | None = None
    pending_email: str | None = None


async def open_account(
    account_id: str, account: Account, ports: HandlerPorts, *, whole: bool
) -> OpenedAccount:
    """Return the account; `whole`: with the address and a change of the e-mail that is not decided yet."""
    pending = account.pending if whole else None
    address = account.address if whole else None
    return OpenedAccount(
        id=account_id,
        handle=await opened(ports, account.handle, "handle"),
        name=await opened(ports, account.name, "name"),
        email=await opened(ports, account.email, "email"),
        groups=account.groups,
        since="" if account.at is None else account.at.isoformat(),
        suspended=account.suspended,
        address=None if address is None else await opened(ports, address, "address"),
        pending_email=None if pending is None else await opened(ports, pending.email, "email"),
    )


async def opened(ports: HandlerPorts, text: str, field: str) -> str:
    """Return what a sealed text has, or that it is forgotten."""
    found = await ports.open(text, field)
    return FORGOTTEN if found is None else found


async def scopes_of_groups(groups: Sequence[str], ports: HandlerPorts) -> tuple[str, ...]:
    """Return the scopes that these groups give together."""
    given = {scope for name in groups for scope in scopes_of(name, await ports.state(GROUP, group_key(name)))}
    return tuple(scope for scope in SCOPES if scope in given)
