"""What the handlers of accounts share: hasher, counters, settings, and what they read from a request."""

from contextlib import suppress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple

from bookshelf.accounts.account import ACCOUNT, Account, Forget
from bookshelf.accounts.handlers.guessing import GuessLimits, MemoryCounters, RedisCounters
from bookshelf.accounts.handlers.secret_texts import SecretTexts
from bookshelf.accounts.people import VIEW, forgotten_people
from bookshelf.cqrs.errors import NotFound
from bookshelf.cqrs.handler import HandlerPorts, RequestContext
from bookshelf.http.client_network import network_of
from bookshelf.http.message import Request
from bookshelf.http.problem import Problem
from bookshelf.keyring.port import KeyringFault
from bookshelf.runtime.api.identity import LOCAL_READER
from bookshelf.runtime.passwords import PasswordHasher

#: The scopes of those that read and change other people's accounts.
READ_ACCOUNTS, ADMIN_ACCOUNTS = ("accounts:read",), ("accounts:admin",)
#: The ids of secrets in the keyring: that of tokens and cookies, and that of claims.
_TOKENS, _CLAIMS = "accounts-tokens", "accounts-claims"
_PROGRAM_MAX = 200


class HandlerCall(NamedTuple):
    """A request, as a handler gets it."""

    request: Request
    context: RequestContext
    ports: HandlerPorts


@dataclass(frozen=True)
class AccountParts:
    """What one process has for all requests. `issuer` and `audience` stand in each token.

    `token_s`: seconds that an access token is valid. `local_reader`: the id of the first admin's account, to
    which belongs what there was before. `service` is a name that no password may be made of.
    """

    hasher: PasswordHasher
    limits: GuessLimits
    issuer: str = "bookshelf"
    audience: str = "bookshelf"
    token_s: int = 600
    local_reader: str = LOCAL_READER
    service: str = "Bookshelf"


def make_parts(issuer: str, token_s: int, local_reader: str, storage: str) -> AccountParts:
    """Return parts; nothing is loaded before the first sign-in. `storage`: `memory`, or the URL of a Redis.

    Raises ModuleNotFoundError without the package of Redis, ValueError for a wrong URL.
    """
    limits = GuessLimits(MemoryCounters() if storage == "memory" else RedisCounters.at(storage))
    return AccountParts(PasswordHasher(), limits, issuer=issuer, token_s=token_s, local_reader=local_reader)


async def secret_texts(ports: HandlerPorts) -> SecretTexts:
    """Return what makes tokens and cookies."""
    return SecretTexts(await ports.secret(_TOKENS))


async def claim_secret(ports: HandlerPorts) -> bytes:
    """Return the secret that names claims."""
    return await ports.secret(_CLAIMS)


def network(request: Request) -> str:
    """Return the network of the client, as the gateway names it, else of the peer."""
    return network_of(request.headers.get("X-Forwarded-For", request.peer)) or "unknown"


def program(request: Request) -> str:
    """Return the name of the client's program, without control characters."""
    given = request.headers.get("User-Agent", "")
    return "".join(character for character in given if character.isprintable())[:_PROGRAM_MAX]


def is_secure(request: Request) -> bool:
    """Return True if the browser has sent the request over TLS."""
    return request.secure or request.headers.get("X-Forwarded-Proto") == "https"


def cookie(request: Request, name: str) -> str:
    """Return the value of a cookie; empty if there is none."""
    try:
        morsel = SimpleCookie(request.headers.get("Cookie", "")).get(name)
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


async def own_account(context: RequestContext, ports: HandlerPorts) -> tuple[str, Account]:
    """Return the id and the account of the caller. Raises `Problem`: unauthenticated."""
    account_id = context.caller.account
    account = Account() if account_id is None else await ports.state(ACCOUNT, account_id)
    if account_id is None or not account.is_open:
        raise unauthenticated("sign in first")
    return account_id, account


async def forget(account_id: str, actor: str, ports: HandlerPorts) -> None:
    """Forget a person, and destroy the key; if the keyring cannot be reached, the connector does it later."""
    await ports.ask(ACCOUNT, account_id, Forget(), actor=actor)
    with suppress(KeyringFault):
        await ports.forget(account_id)


async def forget_again(ports: HandlerPorts) -> None:
    """Destroy the keys of all forgotten people, in case a backup of the keyring has brought some back."""
    forgotten = set(await ports.query(VIEW, forgotten_people))
    # without accounts there may be no keyring, and then there is no such person either
    if forgotten and (again := forgotten - await ports.keyring.destroyed()):
        await ports.forget(*again)


async def account_of(account_id: str, ports: HandlerPorts) -> Account:
    """Return an open account. Raises `NotFound`."""
    account = await ports.state(ACCOUNT, account_id)
    if not account.is_open:
        raise NotFound("there is no such account")
    return account


def unauthenticated(detail: str) -> Problem:
    """Return the 401 with a challenge (RFC 6750)."""
    return Problem("unauthenticated", detail, WWW_Authenticate="Bearer")
