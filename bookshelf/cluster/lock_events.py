"""The events of locks, and the catalogue of their topic. The key is the name of the lock.

The offset of `cluster.lock-acquired.v1` is the fencing token of the lease that it begins. The topic must
never be created anew: its offsets would start again, and tokens that count already would be higher.
"""

from datetime import datetime
from typing import ClassVar

from bookshelf.cqrs.catalogue import Catalogue
from bookshelf.cqrs.message import Event

TOPIC = "locks"


class LockAcquired(Event, frozen=True, kw_only=True):
    """A lease begins: `holder` has the lock until `until`, unless it renews the lease before.

    `lease` is a unique id, so that a holder that acquires the lock again does not renew a former lease.
    """

    TYPE: ClassVar[str] = "cluster.lock-acquired.v1"
    holder: str
    lease: str
    ttl_s: float
    until: datetime


class LockRenewed(Event, frozen=True, kw_only=True):
    """The lease lasts until another time."""

    TYPE: ClassVar[str] = "cluster.lock-renewed.v1"
    lease: str
    until: datetime


class LockReleased(Event, frozen=True, kw_only=True):
    """The holder has given the lock back."""

    TYPE: ClassVar[str] = "cluster.lock-released.v1"
    lease: str


class LockExpired(Event, frozen=True, kw_only=True):
    """The lease was not renewed in time."""

    TYPE: ClassVar[str] = "cluster.lock-expired.v1"
    lease: str


LOCK_EVENTS = Catalogue(LockAcquired, LockRenewed, LockReleased, LockExpired)
