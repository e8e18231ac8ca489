"""The caller of a request: the local reader, or the person that the gateway names with its signature.

Bookshelf-Signature is `TIME.HMAC`: the seconds since 1970, and the HMAC with SHA-256 (hexadecimal) over
method, target, time, actor, scopes and session, a line each, and the client if one is named. It is valid for
60 s.
"""

import hmac
import re
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from multidict import CIMultiDict

from bookshelf.cqrs.handler import GUEST, INTERNAL, LOCAL, Caller
from bookshelf.http.message import Handler, Headers, Request, Response
from bookshelf.http.problem import Problem
from bookshelf.keyring.derived_key import derive_key
from bookshelf.runtime.api import header_fields

SCOPES = "Bookshelf-Scopes"
SESSION = "Bookshelf-Session"
#: The client that a page service answers: its address and its scheme, for the gateway.
CLIENT = "Bookshelf-Client"
SIGNATURE = "Bookshelf-Signature"
#: The fields that only the gateway sets.
IDENTITY = (header_fields.ACTOR, SCOPES, SESSION, CLIENT, SIGNATURE)
#: The caller of calls between our own processes: instances of one service, and gateways.
SERVICE = Caller(actor="service", account="service", owner="service", scopes=frozenset(INTERNAL))
#: The account of an operator of the data folder, and the name of its writers.
OPERATOR = "operator"
#: Names of callers that no issuer's token may have, and scopes that count in none.
RESERVED_NAMES = frozenset({LOCAL.actor, GUEST.actor, SERVICE.actor, OPERATOR})
RESERVED_SCOPES = frozenset(INTERNAL)
#: The account that the things of the local reader belong to, unless the settings name another one.
LOCAL_READER = "a-reader"
_VALID_S = 60
_PURPOSE = "bookshelf gateway signature"
_FORM = re.compile(r"([0-9]{1,12})\.([0-9a-f]{64})")


class PageClient(NamedTuple):
    """The client of a page that sends a request: its address, and True if it uses TLS."""

    address: str
    secure: bool


class Callers(Protocol):
    """Reads the caller of a request, and names the caller of a request that is passed on."""

    @property
    def has_accounts(self) -> bool:
        """True if requests come from different people."""

    def of(self, request: Request) -> Caller:
        """Return the caller of a request."""

    def client(self, request: Request) -> PageClient | None:
        """Return the client of the page that has sent a request; None if no page names one."""

    def sign(self, caller: Caller, request: Request) -> None:
        """Set the identity fields of a request that is passed on for a caller; its client is kept."""


def signed_in(account: str, scopes: frozenset[str], session: str | None) -> Caller:
    """Return the caller that a token names; a guest without an account."""
    return Caller(actor=account, account=account, scopes=scopes, session=session) if account else GUEST


class LocalReader:
    """There are no accounts: every request comes from the local reader, with every scope."""

    has_accounts = False

    def of(self, request: Request) -> Caller:
        """Return the local reader, with the name that events get."""
        return Caller(actor=header_fields.actor(request.headers))

    def client(self, _request: Request) -> PageClient | None:
        """Return None: without accounts nothing depends on the client."""
        return None

    def sign(self, caller: Caller, request: Request) -> None:
        """Leave the request as it is."""


class SignedCallers:
    """There are accounts: identity fields count with a valid signature only. Other requests are a guest's.

    `secret` is the content of `accounts_secret_file`; `local_reader` is the account that the things of the
    local reader belong to; `now` returns the seconds since 1970.
    """

    has_accounts = True

    def __init__(
        self, secret: bytes, local_reader: str = LOCAL_READER, now: Callable[[], float] = time.time
    ) -> None:
        self._key = derive_key(secret, _PURPOSE)
        self._local_reader = local_reader
        self._now = now

    def of(self, request: Request) -> Caller:
        """Return the person that a valid signature names, else the guest."""
        headers = request.headers
        account = headers.get(header_fields.ACTOR, "") if self._is_signed(request) else ""
        if not account:
            return GUEST
        owner = None if account == self._local_reader else account
        scopes = frozenset(headers.get(SCOPES, "").split())
        return Caller(
            actor=account, account=account, owner=owner, scopes=scopes, session=headers.get(SESSION)
        )

    def client(self, request: Request) -> PageClient | None:
        """Return the client that a valid signature names, also for a guest."""
        named = request.headers.get(CLIENT)
        if named is None or not self._is_signed(request):
            return None
        address, _, scheme = named.partition(" ")
        return PageClient(address, scheme == "https")

    def _is_signed(self, request: Request) -> bool:
        headers = request.headers
        match = _FORM.fullmatch(headers.get(SIGNATURE, ""))
        if match is None or abs(self._now() - int(match[1])) > _VALID_S or _repeats(headers):
            return False
        return hmac.compare_digest(self._digest(request, match[1]), match[2])

    def sign(self, caller: Caller, request: Request) -> None:
        """Replace the identity fields, and sign them; a guest has none, but may have a client."""
        headers = request.headers = CIMultiDict(request.headers)
        client = headers.get(CLIENT)
        for name in IDENTITY:
            headers.popall(name, None)
        if client is not None:
            headers[CLIENT] = client
        if caller.account is not None:
            headers[header_fields.ACTOR] = caller.account
            headers[SCOPES] = " ".join(sorted(caller.scopes or ()))
            if caller.session is not None:
                headers[SESSION] = caller.session
        elif client is None:
            return
        moment = str(int(self._now()))
        headers[SIGNATURE] = f"{moment}.{self._digest(request, moment)}"

    def _digest(self, request: Request, moment: str) -> str:
        headers = request.headers
        named = [headers.get(name, "") for name in (header_fields.ACTOR, SCOPES, SESSION)]
        if CLIENT in headers:
            named.append(headers[CLIENT])
        signed = "\n".join((request.method, request.target, moment, *named))
        return hmac.new(self._key, signed.encode("utf-8", "surrogateescape"), "sha256").hexdigest()


def _repeats(headers: Headers) -> bool:
    """Return True if an identity field is there more than once: only the first would be covered."""
    return any(len(headers.getall(name, ())) > 1 for name in IDENTITY)


def admit(callers: Callers, request: Request, requires: tuple[str, ...] | None) -> Caller:
    """Return the caller of a request, with the scopes that a route requires.

    `requires`: () for every person with an account, None for everyone. Raises `Problem`: unauthenticated,
    forbidden.
    """
    caller = callers.of(request)
    if requires is None:
        return caller
    if caller.is_guest:
        raise Problem("unauthenticated", "sign in first", WWW_Authenticate="Bearer")
    if not caller.may(requires):
        scopes = " ".join(requires)
        challenge = f'Bearer error="insufficient_scope", scope="{scopes}"'
        detail = f"this needs the scopes {scopes}, which the caller does not have"
        raise Problem("forbidden", detail, WWW_Authenticate=challenge)
    return caller


class ApiOfCaller:
    """Answers the requests of one caller to the whole HTTP API, which `api` answers."""

    def __init__(self, api: Handler, callers: Callers, caller: Caller) -> None:
        self._api = api
        self._callers = callers
        self._caller = caller

    async def handle(self, request: Request) -> Response:
        """Return the response to a request."""
        self._callers.sign(self._caller, request)
        return await self._api.handle(request)
