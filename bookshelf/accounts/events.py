"""The events of accounts, and the catalogue of their topic. Their keys are ids of accounts, claims and so on.

Handle, name, e-mail address, postal address, password hash, program and network are sealed texts: nothing
here reads them. A claim is named by an HMAC of the handle or of the address (fields.py).
"""

from datetime import datetime
from typing import ClassVar

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Event

TOPIC = "accounts"


class AccountRequested(Event, frozen=True):
    """A person asks for an account; it opens once both claims are held."""

    TYPE: ClassVar[str] = "accounts.account-requested.v1"
    handle: str
    name: str
    email: str
    password: str
    handle_claim: str
    email_claim: str
    groups: tuple[str, ...]
    at: datetime


class AccountClaimNoted(Event, frozen=True):
    """A claim has answered: it is `held` by the account, or by another one."""

    TYPE: ClassVar[str] = "accounts.account-claim-noted.v1"
    claim: str
    held: bool


class AccountOpened(Event, frozen=True):
    """The account can be used. `name` is that of the person; earlier releases left it out."""

    TYPE: ClassVar[str] = "accounts.account-opened.v1"
    name: str = ""


class AccountRejected(Event, frozen=True):
    """The account was not opened. `claims` are those that were asked for."""

    TYPE: ClassVar[str] = "accounts.account-rejected.v1"
    reasons: tuple[str, ...]
    claims: tuple[str, ...]


class AccountRenamed(Event, frozen=True):
    """The person has another name."""

    TYPE: ClassVar[str] = "accounts.account-renamed.v1"
    name: str


class EmailChangeRequested(Event, frozen=True):
    """The person asks for another e-mail address."""

    TYPE: ClassVar[str] = "accounts.email-change-requested.v1"
    email: str
    claim: str
    at: datetime


class EmailChanged(Event, frozen=True):
    """The address is another one; `former` is the claim of the one before."""

    TYPE: ClassVar[str] = "accounts.email-changed.v1"
    email: str
    claim: str
    former: str


class EmailChangeRejected(Event, frozen=True):
    """The address stays as it is."""

    TYPE: ClassVar[str] = "accounts.email-change-rejected.v1"
    claim: str
    reason: str


class AddressSet(Event, frozen=True):
    """The postal address was set, or cleared."""

    TYPE: ClassVar[str] = "accounts.address-set.v1"
    address: str | None = None


class PasswordChanged(Event, frozen=True):
    """The password has another hash: a new password, or the same one with other parameters."""

    TYPE: ClassVar[str] = "accounts.password-changed.v1"
    password: str


class GroupJoined(Event, frozen=True):
    """The account is in a group."""

    TYPE: ClassVar[str] = "accounts.group-joined.v1"
    group: str


class GroupLeft(Event, frozen=True):
    """The account is in a group no more."""

    TYPE: ClassVar[str] = "accounts.group-left.v1"
    group: str


class AccountSuspended(Event, frozen=True):
    """The account takes no sign-in until it is resumed."""

    TYPE: ClassVar[str] = "accounts.account-suspended.v1"


class AccountResumed(Event, frozen=True):
    """The account can be used again."""

    TYPE: ClassVar[str] = "accounts.account-resumed.v1"


class SessionsEnded(Event, frozen=True):
    """Every session and token with an epoch below this one is invalid."""

    TYPE: ClassVar[str] = "accounts.sessions-ended.v1"
    epoch: int


class AccountForgotten(Event, frozen=True):
    """The person is forgotten: the key of the sealed texts is destroyed. Nothing follows this event."""

    TYPE: ClassVar[str] = "accounts.account-forgotten.v1"
    claims: tuple[str, ...]


class Claimed(Event, frozen=True):
    """An account holds the handle or address."""

    TYPE: ClassVar[str] = "accounts.claimed.v1"
    account: str


class ClaimRefused(Event, frozen=True):
    """An account does not get it, because another one holds it."""

    TYPE: ClassVar[str] = "accounts.claim-refused.v1"
    account: str


class ClaimReleased(Event, frozen=True):
    """The account that held it has released it."""

    TYPE: ClassVar[str] = "accounts.claim-released.v1"
    account: str


class SessionOpened(Event, frozen=True):
    """A person has signed in. `until` is the end of the access token, `ends` that of the session.

    The session also ends `idle_s` seconds after the end of its last access token. `client` is a hash of
    program and network.
    """

    TYPE: ClassVar[str] = "accounts.session-opened.v1"
    account: str
    epoch: int
    browser: bool
    at: datetime
    until: datetime
    ends: datetime
    idle_s: int
    client: str
    program: str
    network: str


class SessionRotated(Event, frozen=True):
    """The refresh token was used; `n` is the number of the next one."""

    TYPE: ClassVar[str] = "accounts.session-rotated.v1"
    n: int
    client: str
    at: datetime
    until: datetime


class SessionUsed(Event, frozen=True):
    """A browser's session was exchanged for an access token that is valid until then."""

    TYPE: ClassVar[str] = "accounts.session-used.v1"
    at: datetime
    until: datetime


class SessionEnded(Event, frozen=True):
    """The session is over: `signed-out`, `reuse`, `idle`, `expired` or `ended` by its person or an admin."""

    TYPE: ClassVar[str] = "accounts.session-ended.v1"
    account: str
    reason: str


class GroupDefined(Event, frozen=True):
    """The group has this description and gives its members these scopes."""

    TYPE: ClassVar[str] = "accounts.group-defined.v1"
    description: str
    scopes: tuple[str, ...]


class GroupRemoved(Event, frozen=True):
    """The group gives no scopes any more."""

    TYPE: ClassVar[str] = "accounts.group-removed.v1"


ACCOUNT_EVENTS = (
    AccountRequested,
    AccountClaimNoted,
    AccountOpened,
    AccountRejected,
    AccountRenamed,
    EmailChangeRequested,
    EmailChanged,
    EmailChangeRejected,
    AddressSet,
    PasswordChanged,
    GroupJoined,
    GroupLeft,
    AccountSuspended,
    AccountResumed,
    SessionsEnded,
    AccountForgotten,
)
CLAIM_EVENTS = (Claimed, ClaimRefused, ClaimReleased)
SESSION_EVENTS = (SessionOpened, SessionRotated, SessionUsed, SessionEnded)
GROUP_EVENTS = (GroupDefined, GroupRemoved)
EVENTS = Catalogue(*ACCOUNT_EVENTS, *CLAIM_EVENTS, *SESSION_EVENTS, *GROUP_EVENTS)
