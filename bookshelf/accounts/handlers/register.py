"""Registration: checks the fields, asks for the account, and waits for its claims."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID, uuid5

import msgspec
from msgspec import Meta

from bookshelf.accounts.account import ACCOUNT, Account, OpenAccount
from bookshelf.accounts.claim import CLAIM
from bookshelf.accounts.fields import (
    Email,
    check_email,
    check_handle,
    check_name,
    check_password,
    email_claim,
    handle_claim,
)
from bookshelf.accounts.group import ADMIN, FIRST_GROUPS
from bookshelf.accounts.handlers.opened_account import open_account
from bookshelf.accounts.handlers.parts import ADMIN_ACCOUNTS, AccountParts, claim_secret, network
from bookshelf.cqrs.errors import Invalid, KeyReused
from bookshelf.cqrs.handler import HandlerPorts, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Fault, Problem
from bookshelf.keyring.port import KeyDestroyed
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.bodies import json_answer, read_body
from bookshelf.runtime.decoding import Decoder

#: Seconds that a request waits for its claims, unless it prefers others.
PATIENCE_S = 5.0
_IDS = UUID("5b6f1f3e-2f63-5a55-9a0e-1f6f0c2d7a10")
_TAKEN = {
    "handle-taken": Fault("is taken; choose another", pointer="/handle"),
    "email-taken": Fault("has an account already; sign in", pointer="/email"),
}


class NewAccount(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The fields of a new account; `groups` is accepted from an admin only."""

    handle: Annotated[str, Meta(max_length=1000, examples=["ann"])]
    name: Annotated[str, Meta(max_length=1000, examples=["Ann Reader"])]
    email: Annotated[str, Meta(max_length=1000, examples=["ann@example.org"])]
    password: Annotated[str, Meta(max_length=5000)]
    groups: tuple[str, ...] | None = None


class RequestedAccount(msgspec.Struct, frozen=True):
    """An account that is not decided yet: its names may be taken. A repetition has the decision."""

    id: Annotated[str, Meta(examples=["a-0190a5a4-3b00-7000-8000-000000000001"])]


_BODY = Decoder(NewAccount)


@dataclass(frozen=True)
class RegisterHandler:
    """The handler of POST /accounts."""

    parts: AccountParts

    async def register(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer 201 with the account, 202 if it is not decided yet, or 409. Raises `Problem`, `Invalid`."""
        body: NewAccount = await read_body(request, _BODY)
        if body.groups is not None and not context.caller.may(ADMIN_ACCOUNTS):
            raise Problem("forbidden", "only an admin chooses the groups of an account; leave `groups` out")
        email = self._check(body)
        if not await self.parts.limits.may_register(network(request)):
            msg = "this network has registered too many accounts; try again in an hour"
            raise Problem("too-many", msg, Retry_After="3600")
        secret = await claim_secret(ports)
        claims = handle_claim(secret, body.handle), email_claim(secret, email)
        key = header_fields.key(request.headers)
        account_id = f"a-{ports.new_id() if key is None else uuid5(_IDS, key)}"
        if ADMIN in (body.groups or ()) and await self._is_first(claims, ports):
            account_id = self.parts.local_reader
        try:
            await self._request(account_id, body, email, claims, context, ports)
        except KeyDestroyed:
            # a repetition of a request that was rejected gets the first answer; its key is destroyed
            if (await ports.state(ACCOUNT, account_id)).status != "rejected":
                raise
        wait_s = header_fields.wait_s(request.headers)
        patience_s = header_fields.waited_s(request.headers, PATIENCE_S if wait_s is None else wait_s)
        account = await ports.state(
            ACCOUNT, account_id, lambda state: state.status != "requested", patience_s
        )
        response = await _registered(account_id, account, ports)
        return response if wait_s is None else _applied(response, wait_s)

    def _check(self, body: NewAccount) -> Email:
        """Return the address; name and password get the form that is kept. Raises `Problem`: invalid."""
        known = (body.handle, body.name, body.email, self.parts.service)
        checks: dict[str, Any] = {
            "handle": lambda: check_handle(body.handle),
            "name": lambda: check_name(body.name),
            "email": lambda: check_email(body.email),
            "password": lambda: check_password(body.password, known),
        }
        checked: dict[str, Any] = {}
        faults: list[Fault] = []
        for field, check in checks.items():
            try:
                checked[field] = check()
            except Invalid as wrong:
                faults.append(Fault(wrong.detail, pointer=f"/{field}"))
        if faults:
            detail = "; ".join(f"{fault.pointer[1:]} {fault.detail}" for fault in faults)
            raise Problem("invalid", detail, *faults)
        body.name, body.password = checked["name"], checked["password"]
        email: Email = checked["email"]
        return email

    async def _is_first(self, claims: tuple[str, str], ports: HandlerPorts) -> bool:
        """Return True if an admin gets the account of what there was before accounts.

        A request that would be rejected does not: the id of a rejected account is never used again.
        """
        if (await ports.state(ACCOUNT, self.parts.local_reader)).status != "none":
            return False
        return not any([(await ports.state(CLAIM, claim)).account for claim in claims])

    async def _request(
        self,
        account_id: str,
        body: NewAccount,
        email: Email,
        claims: tuple[str, str],
        context: RequestContext,
        ports: HandlerPorts,
    ) -> None:
        """Ask for the account. Raises `KeyReused` if its key was used for another one."""
        hashed = await self.parts.hasher.hash(body.password)
        command = OpenAccount(
            handle=await ports.seal(account_id, "handle", body.handle),
            name=await ports.seal(account_id, "name", body.name),
            email=await ports.seal(account_id, "email", email.typed),
            password=await ports.seal(account_id, "password", hashed),
            handle_claim=claims[0],
            email_claim=claims[1],
            groups=FIRST_GROUPS if body.groups is None else body.groups,
            at=context.at,
        )
        result = await ports.ask(ACCOUNT, account_id, command, actor=account_id, command_id=account_id)
        if result.replayed:
            former = await ports.open(result.state.password, "password")
            if not await self.parts.hasher.verify(former, body.password):
                raise KeyReused("this Idempotency-Key was used for another account; take a new key")


async def _registered(account_id: str, account: Account, ports: HandlerPorts) -> Response:
    if account.status == "rejected":
        faults = [_TAKEN[reason] for reason in account.reasons if reason in _TAKEN]
        if not faults:
            raise Problem("unavailable", "the account could not be opened in time; try again")
        named = " and ".join(fault.pointer[1:] for fault in faults)
        raise Problem("conflict", f"there is an account with this {named}", *faults)
    if not account.is_open:
        return json_answer(202, RequestedAccount(account_id))
    return json_answer(
        201, await open_account(account_id, account, ports, whole=True), {"Location": "/accounts/me"}
    )


def _applied(response: Response, wait_s: int) -> Response:
    return Response(
        response.status, {**response.headers, header_fields.APPLIED: f"wait={wait_s}"}, response.body
    )
