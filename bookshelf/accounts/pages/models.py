"""The answers of the API that the pages of accounts show."""

from collections.abc import Sequence
from datetime import datetime

import msgspec


class PersonAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The account of the signed-in person."""

    handle: str
    name: str
    email: str
    since: datetime
    groups: Sequence[str] = ()
    address: str | None = None
    pending_email: str | None = None


class PersonSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session of the person: when it was last used, from which network and program."""

    id: str
    used: datetime
    network: str
    program: str
    this: bool
