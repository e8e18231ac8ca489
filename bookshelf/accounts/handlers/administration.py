"""What admins do with other people's accounts and with groups; managers may read the accounts."""

from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.accounts.account import ACCOUNT, EndSessions, JoinGroup, LeaveGroup, Resume, Suspend
from bookshelf.accounts.fields import login_claim
from bookshelf.accounts.group import (
    BUILT_IN,
    GROUP,
    AccountGroup,
    DefineGroup,
    RemoveGroup,
    group_key,
    scopes_of,
)
from bookshelf.accounts.handlers.opened_account import open_account
from bookshelf.accounts.handlers.parts import account_of, claim_secret, forget
from bookshelf.accounts.people import VIEW, find_people, group_names
from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.cqrs.handler import HandlerPorts, RequestContext
from bookshelf.cqrs.message import Command
from bookshelf.http.message import Request, Response
from bookshelf.runtime.api.bodies import json_answer, no_content, read_body
from bookshelf.runtime.decoding import Decoder

_IDS_MAX, _LIMIT_MAX = 100, 100


class AccountFilter(msgspec.Struct, frozen=True):
    """Selects accounts after an id: `q` is a whole handle or address, `ids` have commas between them."""

    q: Annotated[str, Meta(max_length=1000)] | None = None
    ids: Annotated[str, Meta(max_length=20_000)] | None = None
    after: Annotated[str, Meta(max_length=200)] = ""
    limit: Annotated[int, Meta(ge=1, le=_LIMIT_MAX)] = _LIMIT_MAX


class GroupFields(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What a group gives its members."""

    description: Annotated[str, Meta(max_length=1000)] = ""
    scopes: tuple[str, ...] = ()


class ShownGroup(msgspec.Struct, frozen=True):
    """A group with its scopes."""

    name: str
    description: str
    scopes: tuple[str, ...]
    built_in: bool


_GROUP, _FILTER = Decoder(GroupFields), Decoder(AccountFilter)


async def list_accounts(request: Request, _context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer with a page of accounts: `q` is a whole handle or address, `ids` are separated by commas."""
    asked: AccountFilter = _FILTER.parameters({}, request.target.partition("?")[2])
    limit, after = asked.limit, asked.after
    ids = None if asked.ids is None else asked.ids.split(",")
    if ids is not None and len(ids) > _IDS_MAX:
        raise Invalid(f"has up to {_IDS_MAX} ids", field="ids")
    claim = None
    if asked.q is not None:
        claim = login_claim(await claim_secret(ports), asked.q) or "none"
    found = await ports.query(
        VIEW, lambda db: find_people(db, claim=claim, ids=ids, after=after, limit=limit)
    )
    shown = []
    for account_id in found[:limit]:
        account = await ports.state(ACCOUNT, account_id)
        if account.is_open:
            shown.append(await open_account(account_id, account, ports, whole=False))
    headers = {}
    if len(found) > limit:
        headers["Link"] = f'</accounts?after={found[limit - 1]}&limit={limit}>; rel="next"'
    return json_answer(200, shown, headers)


async def show_account(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer with one account. Raises `NotFound`."""
    account_id = context.path["id"]
    account = await account_of(account_id, ports)
    return json_answer(200, await open_account(account_id, account, ports, whole=False))


async def _carry_out(context: RequestContext, ports: HandlerPorts, command: Command) -> Response:
    await account_of(context.path["id"], ports)
    await ports.ask(ACCOUNT, context.path["id"], command, actor=context.caller.actor)
    return no_content()


async def join_group(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Put an account into a group. Raises `NotFound` for an unknown one."""
    name = context.path["group"]
    if name not in BUILT_IN and (await ports.state(GROUP, group_key(name))).scopes is None:
        raise NotFound("there is no such group")
    return await _carry_out(context, ports, JoinGroup(group=name))


async def leave_group(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Take an account out of a group; its sessions end."""
    return await _carry_out(context, ports, LeaveGroup(group=context.path["group"]))


async def suspend(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Suspend an account; its sessions end."""
    return await _carry_out(context, ports, Suspend())


async def resume(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Resume a suspended account."""
    return await _carry_out(context, ports, Resume())


async def end_sessions(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """End all sessions of an account."""
    return await _carry_out(context, ports, EndSessions())


async def forget_account(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Forget a person, within a minute. Answer 202."""
    await account_of(context.path["id"], ports)
    await forget(context.path["id"], context.caller.actor, ports)
    return no_content(202)


async def list_groups(_request: Request, _context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer with all groups: those that are built in first."""
    defined = await ports.query(VIEW, group_names)
    names = [*BUILT_IN, *(name for name in defined if name not in BUILT_IN)]
    return json_answer(200, [_shown(name, await ports.state(GROUP, group_key(name))) for name in names])


def _shown(name: str, group: AccountGroup) -> ShownGroup:
    return ShownGroup(name, group.description, scopes_of(name, group), name in BUILT_IN)


async def define_group(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Define a group, or change it. Answer 200 with it."""
    body: GroupFields = await read_body(request, _GROUP)
    name = context.path["group"]
    command = DefineGroup(group=name, description=body.description, scopes=body.scopes)
    result = await ports.ask(GROUP, group_key(name), command, actor=context.caller.actor)
    return json_answer(200, _shown(name, result.state))


async def remove_group(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Remove a group."""
    name = context.path["group"]
    await ports.ask(GROUP, group_key(name), RemoveGroup(group=name), actor=context.caller.actor)
    return no_content()
