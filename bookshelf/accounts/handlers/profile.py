"""The account of the signed-in person: shown, changed, its password, its sessions, its end."""

from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bookshelf.accounts.account import (
    ACCOUNT,
    Account,
    ChangeEmail,
    RenameAccount,
    SetAddress,
    SetPassword,
)
from bookshelf.accounts.fields import (
    check_email,
    check_name,
    check_password,
    email_claim,
)
from bookshelf.accounts.handlers.guessing import SignInAttempt
from bookshelf.accounts.handlers.opened_account import open_account, opened
from bookshelf.accounts.handlers.parts import HandlerCall, claim_secret, forget, network, own_account
from bookshelf.accounts.handlers.sign_in import SignIn, is_remembered, prepared_password
from bookshelf.accounts.people import VIEW, SessionRow, sessions_of
from bookshelf.accounts.session import SESSION, EndSession
from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.handler import HandlerPorts, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.http.problem import Problem
from bookshelf.runtime.api.bodies import json_answer, no_content, read_body
from bookshelf.runtime.decoding import Decoder

#: Seconds that a change of the address waits for its claim.
PATIENCE_S = 5.0
_ADDRESS_MAX = 1000


class ProfileChanges(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The fields to change; another e-mail address needs the password, and null clears the address."""

    name: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET
    email: Annotated[str, Meta(max_length=1000)] | UnsetType = UNSET
    password: Annotated[str, Meta(max_length=5000)] = ""
    address: Annotated[str, Meta(max_length=_ADDRESS_MAX)] | UnsetType | None = UNSET


class Password(msgspec.Struct, forbid_unknown_fields=True):
    """The password, to confirm what cannot be undone."""

    password: Annotated[str, Meta(max_length=5000)]


class NewPassword(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The present password and the next one; with `browser` the answer has cookies in place of tokens."""

    old: Annotated[str, Meta(max_length=5000)]
    new: Annotated[str, Meta(max_length=5000)]
    browser: bool = False


class ShownSession(msgspec.Struct, frozen=True):
    """A session of the person: when it was opened and last used, from which network and program."""

    id: str
    opened: str
    used: str
    network: str
    program: str
    this: bool


_CHANGES, _PASSWORD, _NEW = Decoder(ProfileChanges), Decoder(Password), Decoder(NewPassword)


@dataclass(frozen=True)
class Profile:
    """The handlers of /accounts/me and of the person's sessions."""

    sign_in: SignIn

    async def show(self, _request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer with the account of the caller."""
        account_id, account = await own_account(context, ports)
        return json_answer(200, await open_account(account_id, account, ports, whole=True))

    async def change(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Change name, address and e-mail; answer as `show`. Raises `Problem`, `Invalid`, `Conflict`."""
        body: ProfileChanges = await read_body(request, _CHANGES)
        account_id, account = await own_account(context, ports)
        if body.name is not UNSET:
            name = await ports.seal(account_id, "name", check_name(body.name))
            await ports.ask(ACCOUNT, account_id, RenameAccount(name=name), actor=account_id)
        if body.address is not UNSET:
            address = None if body.address is None else _address(body.address)
            sealed = None if address is None else await ports.seal(account_id, "address", address)
            await ports.ask(ACCOUNT, account_id, SetAddress(address=sealed), actor=account_id)
        if body.email is not UNSET:
            await self._confirm(request, account_id, account, body.password, ports)
            await _change_email(account_id, body.email, context, ports)
        account = await ports.state(ACCOUNT, account_id)
        return json_answer(200, await open_account(account_id, account, ports, whole=True))

    async def set_password(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Set another password; all sessions end; the answer has a new one, as long as the old."""
        body: NewPassword = await read_body(request, _NEW)
        account_id, account = await own_account(context, ports)
        await self._confirm(request, account_id, account, body.old, ports, field="old")
        fields = ("handle", "name", "email")
        known = [await opened(ports, getattr(account, field), field) for field in fields]
        try:
            password = check_password(body.new, [*known, self.sign_in.parts.service])
        except Invalid as fault:
            raise Invalid(fault.detail, field="new") from None
        sealed = await ports.seal(account_id, "password", await self.sign_in.parts.hasher.hash(password))
        result = await ports.ask(ACCOUNT, account_id, SetPassword(password=sealed), actor=account_id)
        changed: Account = result.state
        call = HandlerCall(request, context, ports)
        kept = await is_remembered(context.caller.session, ports)
        session = await self.sign_in.open_session(
            call, account_id, changed, browser=body.browser, remember=kept
        )
        if body.browser:
            return await self.sign_in.cookies(call, account_id, session, remember=kept)
        return json_answer(200, await self.sign_in.tokens(account_id, changed, session, 0, context.at, ports))

    async def _confirm(
        self,
        request: Request,
        account_id: str,
        account: Account,
        password: str,
        ports: HandlerPorts,
        field: str = "password",
    ) -> None:
        """Check the password of the caller; failures count as those of sign-in do. Raises `Invalid`."""
        attempt = SignInAttempt(account_id, network(request))
        limits, hasher = self.sign_in.parts.limits, self.sign_in.parts.hasher
        if await limits.is_locked(attempt):
            raise Problem("too-many", "too many wrong passwords; try again in 15 minutes", Retry_After="900")
        hashed = await ports.open(account.password, "password")
        right = await hasher.verify(hashed, prepared_password(password) or "")
        if not right:
            await limits.note_failure(attempt)
            raise Invalid("is not the present password", field=field)

    async def forget(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Forget the caller, within a minute. Answer 202."""
        body: Password = await read_body(request, _PASSWORD)
        account_id, account = await own_account(context, ports)
        await self._confirm(request, account_id, account, body.password, ports)
        await forget(account_id, account_id, ports)
        return no_content(202)

    async def sessions(self, _request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer with the sessions of the caller, the last used one first."""
        account_id, account = await own_account(context, ports)
        rows: list[SessionRow] = await ports.query(
            VIEW, lambda db: sessions_of(db, account_id, account.epoch)
        )
        shown = [
            ShownSession(
                row.id,
                row.opened,
                row.used,
                await opened(ports, row.network, "network"),
                await opened(ports, row.program, "program"),
                row.id == context.caller.session,
            )
            for row in rows
            if (await ports.state(SESSION, row.id)).is_open  # the view may be behind
        ]
        return json_answer(200, shown)

    async def end_session(self, _request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """End a session of the caller. Answer 204, or 404 for another person's."""
        account_id, _ = await own_account(context, ports)
        session_id = context.path["id"]
        if (await ports.state(SESSION, session_id)).account != account_id:
            raise NotFound("there is no such session")
        await ports.ask(SESSION, session_id, EndSession(reason="ended"), actor=account_id)
        return no_content()


def _address(text: str) -> str:
    if any(not character.isprintable() and character != "\n" for character in text):
        raise Invalid("has no control characters", field="address")
    return text


async def _change_email(account_id: str, text: str, context: RequestContext, ports: HandlerPorts) -> None:
    """Change the address, and wait for its claim. Raises `Conflict` if it is taken."""
    email = check_email(text)
    claim = email_claim(await claim_secret(ports), email)
    sealed = await ports.seal(account_id, "email", email.typed)
    command = ChangeEmail(email=sealed, claim=claim, at=context.at)
    await ports.ask(ACCOUNT, account_id, command, actor=account_id)
    account = await ports.state(ACCOUNT, account_id, lambda state: state.pending is None, PATIENCE_S)
    if account.pending is None and account.email_claim != claim:
        raise Conflict("has an account already", field="email")
