"""Handlers: functions that answer a request themselves, for what is no pure command or query, like pages."""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Protocol, TypeVar

import msgspec

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.envelope import NO_TOKEN
from bookshelf.cqrs.message import Command, State
from bookshelf.cqrs.position import Position
from bookshelf.cqrs.view import View
from bookshelf.http.message import Handler, Request, Response
from bookshelf.keyring.port import KeyStore
from bookshelf.media.port import BlobStore, Pictures

T = TypeVar("T")
S = TypeVar("S", bound=State)
#: The scopes that routes require by default: those that read, and those that change something.
READ = ("read",)
WRITE = ("write",)
#: The scope of calls between our own processes. No person has it, and no gateway routes to what requires it.
INTERNAL = ("internal",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The person that a request comes from, as the gateway has verified it; never read from a body.

    `actor` is the name in events. `account` is the id of the person's account: the local reader and a guest
    have none. `owner` is the person whose things are read and changed, None for those of the local reader.
    `scopes`: what the caller may do; None for everything. `session`: None without one.
    """

    actor: str = "reader"
    account: str | None = None
    owner: str | None = None
    scopes: frozenset[str] | None = None
    session: str | None = None

    @property
    def is_guest(self) -> bool:
        """True for a person without a session, although there are accounts."""
        return self.account is None and self.scopes is not None

    def may(self, required: Iterable[str]) -> bool:
        """Return True if the caller has all these scopes."""
        return self.scopes is None or self.scopes.issuperset(required)


#: The local reader.
LOCAL = Caller()
#: The caller of a request without a verified identity, while there are accounts. It owns nothing.
GUEST = Caller(actor="guest", owner="guest", scopes=frozenset())


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """What the runtime knows of a request: its time, its caller, and the values of its path by name.

    `params` is a value of the type `params` of a command route, None if that has no fields.
    """

    at: datetime
    caller: Caller = LOCAL
    path: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    params: Any = None

    @property
    def owner(self) -> str | None:
        """The person whose things the request reads or changes; None for those of the local reader."""
        return self.caller.owner


class HandlerPorts(Protocol):
    """What a handler may use.

    That is the whole HTTP API; aggregates, views and folder of its own service; blobs, pictures, the time,
    and new ids.
    """

    def api(self, caller: Caller) -> Handler:
        """Return what answers requests of the whole HTTP API for a caller, as the gateway does."""

    @property
    def blobs(self) -> BlobStore:
        """Stores files by their content."""

    @property
    def pictures(self) -> Pictures:
        """Converts uploaded pictures."""

    @property
    def keyring(self) -> KeyStore:
        """Keeps secrets by id: those of persons, and of the service itself. Raises `KeyringFault`."""

    async def secret(self, key_id: str) -> bytes:
        """Return the secret of the keyring with this id; if there is none, 32 random bytes are kept as it.

        It is read once, until it is destroyed. Raises `KeyringFault`, `KeyDestroyed`.
        """

    async def seal(self, person: str, field: str, text: str) -> str:
        """Return a text sealed as a field with a person's key. Raises `KeyringFault`, `KeyDestroyed`."""

    async def open(self, text: str, field: str) -> str | None:
        """Return the plain text of a text, sealed as this field or plain; None if its key was destroyed.

        Raises `KeyringFault`, `SealBroken`.
        """

    async def forget(self, *persons: str) -> None:
        """Destroy the keys of persons: what is sealed with them can never be read again.

        It may be repeated, as at a start for all forgotten people, in case a backup brought their keys back.
        Raises `KeyringFault`.
        """

    @property
    def folder(self) -> str:
        """The folder for the service's own files, in the data folder; it may not be there yet."""

    def now(self) -> datetime:
        """Return the present time, aware, in UTC."""

    def new_id(self) -> str:
        """Return a unique id: the text of a UUIDv7."""

    def lease(self, name: str, ttl_s: float = 30.0) -> AbstractAsyncContextManager[int]:
        """Return what waits for a lock of the domain and holds it for a block; its value is a fencing token.

        The block is cancelled when the lease has ended, and `LeaseOver` is raised. Without a domain, leases
        are those of one process; raises LookupError where several processes run.
        """

    @property
    def primary_token(self) -> int | None:
        """The fencing token of this instance while it is the primary of its group, else None."""

    async def ask(  # noqa: PLR0913 (what a command is asked with)
        self,
        aggregate: Aggregate[Any],
        subject: str,
        command: Command,
        *,
        actor: str = "reader",
        command_id: str | None = None,
        content: msgspec.Struct | None = None,
        expects: frozenset[int] | None = None,
        token: int = NO_TOKEN,
    ) -> CommandResult:
        """Return the result of a command on an aggregate of the service, wherever its owner runs.

        The aggregate must have the command in its `takes`. `command_id` is the same in every retry; without
        it each call is a new command. `content` is what was sent with a key that a client has chosen: another
        content with the same `command_id` is refused with `KeyReused`. With `expects` the aggregate must have
        one of these versions, else `Changed` is raised; a repetition is answered all the same. A fenced
        aggregate needs the `token` of the caller's lease, else `StaleToken` is raised. Raises `Refused` if it
        is declined, and other faults that are answered with 503 or 504.
        """

    async def state(
        self,
        aggregate: Aggregate[S],
        subject: str,
        until: Callable[[S], bool] | None = None,
        patience_s: float = 5.0,
        *,
        token: int | None = None,
    ) -> S:
        """Return the state of an aggregate of the service, read to the end of its partition.

        With `until`, wait until that is true of it, at most `patience_s` seconds; the last state is returned
        in any case. A fenced aggregate needs the `token` of the caller's lease, which it remembers: from then
        on it refuses the writes of former holders. `StaleToken` is raised if a later holder has used it; with
        NO_TOKEN the state is only shown, and nothing may be decided on it. Raises ValueError without either.
        """

    async def query(
        self,
        view: View,
        function: Callable[[Any], T],
        after: Iterable[Position] = (),
        *,
        to_end: bool = False,
        key: Hashable | None = None,
    ) -> T:
        """Return what `function(connection)` returns, once the view has these positions.

        With `to_end` it has all that is in the log by then. With a `key`, what was returned for it is
        returned again while the rows stay the same: it must be a value that is not changed. Raises
        `NotCaughtUp`, `LogFault`, `StorageFault`, or what the function raises.
        """


#: Answers a request. Its body is unread, and has at most `body_bytes` of the route.
Handle = Callable[[Request, RequestContext, HandlerPorts], Awaitable[Response]]
#: Runs as long as an instance of its service; it is started again after a fault.
ServiceTask = Callable[[HandlerPorts], Awaitable[None]]
#: What is left to do with a request after a middleware: the next middleware, or the handler.
Next = Callable[[Request], Awaitable[Response]]
#: Runs around a handler: it passes a request on, or answers it itself, and may change request and response.
Middleware = Callable[[Request, RequestContext, Next], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerRoute:
    """A request that `handler(request, context, ports)` answers, with whole bytes or with a stream.

    In a service with a root it is a page, and its path begins with that root. `middleware` runs around the
    handler, the first one outermost. `deadline_s`: seconds until the response begins; each piece of the
    request's body that is read begins them anew. `requires`: the scopes that the caller must have; () for
    every person with an account, None for everyone. Name them for a method that changes something. `body` is
    the type of its JSON body, `returns` that of its answer with the status `status`, and `heeds` the names of
    header fields of requests that it reads, for the documents. `also`: further statuses of answers, each with
    the type of its body, None for one without.
    """

    method: str = "GET"
    path: str
    summary: str
    handler: Handle
    middleware: tuple[Middleware, ...] = ()
    body_bytes: int = 1 << 20
    deadline_s: float | None = None
    requires: tuple[str, ...] | None = READ
    body: Any = None
    returns: Any = None
    status: int = 200
    heeds: tuple[str, ...] = ()
    also: tuple[tuple[int, Any], ...] = ()
