"""Signs a command in to a shelf with accounts, and keeps it signed in for as long as it runs."""

import asyncio
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
from multidict import CIMultiDict

from bookshelf.cli.command import stop
from bookshelf.cli.passwords import password_file_option, read_password
from bookshelf.http.message import Handler, Request, Response, read_response, request

_ACCOUNTS = "/bookshelf/accounts"
#: The most bytes of an answer with tokens, or of one that is not passed on.
_MOST = 1 << 20


class Credentials(NamedTuple):
    """A handle or e-mail address, and the password."""

    name: str
    password: str


class NotSignedIn(Exception):
    """The shelf does not take the login; the message is its reason."""


class _Tokens(msgspec.Struct):
    access_token: str
    refresh_token: str


class _Refusal(msgspec.Struct):
    detail: str = ""


class SignedIn:
    """Hands requests on as those of a person. A token that is refused is renewed once."""

    def __init__(self, handler: Handler, login: Credentials) -> None:
        self._handler = handler
        self._login = login
        self._tokens: _Tokens | None = None
        self._renewing = asyncio.Lock()

    async def handle(self, asked: Request) -> Response:
        """Return the answer. Raises `NotSignedIn`, and what the handler raises."""
        used = self._tokens or await self._renewed(None)
        response = await self._handled(asked, used)
        if response.status == HTTPStatus.UNAUTHORIZED:
            await read_response(response, _MOST)
            response = await self._handled(asked, await self._renewed(used))
        return response

    async def end(self) -> None:
        """Sign out. Raises what the handler raises."""
        if self._tokens is not None:
            asked = _json(f"{_ACCOUNTS}/logout", {})
            await read_response(await self._handled(asked, self._tokens), _MOST)

    async def _handled(self, asked: Request, tokens: _Tokens) -> Response:
        headers = CIMultiDict(asked.headers)
        headers["Authorization"] = f"Bearer {tokens.access_token}"
        return await self._handler.handle(msgspec.structs.replace(asked, headers=headers))

    async def _renewed(self, used: _Tokens | None) -> _Tokens:
        """Return other tokens than those that were used; all requests of a moment share the new ones."""
        async with self._renewing:
            if self._tokens is None or self._tokens is used:
                self._tokens = await self._new(used)
            return self._tokens

    async def _new(self, used: _Tokens | None) -> _Tokens:
        if used is not None:
            renewed = await self._answer(f"{_ACCOUNTS}/refresh", {"refresh_token": used.refresh_token})
            if isinstance(renewed, _Tokens):
                return renewed
        name, password = self._login
        found = await self._answer(f"{_ACCOUNTS}/login", {"login": name, "password": password})
        if isinstance(found, _Refusal):
            raise NotSignedIn(found.detail)
        return found

    async def _answer(self, target: str, body: dict[str, str]) -> _Tokens | _Refusal:
        response = await self._handler.handle(_json(target, body))
        content = await read_response(response, _MOST)
        if response.status == HTTPStatus.NOT_FOUND:
            return _Refusal("it has no accounts; leave out --login")
        try:
            if response.status == HTTPStatus.OK:
                return msgspec.json.decode(content, type=_Tokens)
            return msgspec.json.decode(content, type=_Refusal)
        except msgspec.DecodeError:
            return _Refusal(f"its answer has the status {response.status}")


def _json(target: str, body: dict[str, str]) -> Request:
    return request("POST", target, msgspec.json.encode(body), Content_Type="application/json")


def takes_login(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of a login to a command, which gets a `login`: None without the options."""

    @wraps(command)
    def with_login(*, user: str | None, password_file: Path | None, **given: Any) -> None:  # noqa: ANN401 (the other options)
        if user is None and password_file is not None:
            stop("--password-file needs --login with a handle or e-mail address")
        command(**given, login=None if user is None else Credentials(user, read_password(password_file)))

    made = password_file_option(with_login)
    return click.option(
        "--login",
        "user",
        metavar="NAME",
        help="Sign in by handle or e-mail address, if there are accounts.",
    )(made)
