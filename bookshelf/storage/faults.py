"""Classifies errors of statements: faults of the database, or wrong values of the statement."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bookshelf.storage.port import StorageFault, TableSetCorrupt

#: SQLSTATE classes for wrong values: data, constraints, and limits of a row or an index.
_GIVEN = frozenset({"22", "23", "54"})
_MISSING = frozenset({"42P01", "3F000"})
#: SQLSTATEs of a server that stops, or starts, or has ended this session.
_LOST = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03"})
#: SQLite's error codes for a file whose pages are damaged.
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def of_storage(fault: BaseException) -> bool:
    """Return True if the same statement with the same values can succeed later."""
    if not isinstance(fault, DBAPIError):
        return isinstance(fault, StorageFault | OSError | PendingRollbackError | PoolTimeoutError)
    if not hasattr(fault.orig, "sqlstate"):  # SQLite
        return isinstance(fault, OperationalError) or _is_damaged(fault)
    # asyncpg itself refuses what it cannot encode: without an SQLSTATE, with a ValueError as the cause
    return state(fault)[:2] not in _GIVEN and not isinstance(_cause(fault), ValueError)


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translate errors of SQLite into those of the port. Raises `StorageFault`, `TableSetCorrupt`."""
    try:
        yield
    except OperationalError as fault:
        raise StorageFault(str(fault.orig)) from fault
    except DatabaseError as fault:
        if not _is_damaged(fault):
            raise
        msg = f"stored rows cannot be read ({fault.orig}); they are rebuilt from the log"
        raise TableSetCorrupt(msg) from fault


def _is_damaged(fault: DBAPIError) -> bool:
    return (
        getattr(fault.orig, "sqlite_errorcode", 0) & 0xFF in _DAMAGED
    )  # the upper bits only refine the code


def lost(fault: BaseException) -> bool:
    """Return True if the connection is lost: another one may work at once."""
    if not isinstance(fault, DBAPIError):
        return isinstance(fault, OSError) and not isinstance(fault, TimeoutError)
    return fault.connection_invalidated or state(fault)[:2] == "08" or state(fault) in _LOST


def missing(fault: BaseException) -> bool:
    """Return True if a table or a schema does not exist."""
    return state(fault) in _MISSING


def state(fault: BaseException) -> str:
    """Return the SQLSTATE of an error; empty if it has none."""
    return getattr(getattr(fault, "orig", fault), "sqlstate", None) or ""


def message_of(fault: BaseException) -> str:
    """Return the first line of the database's error message."""
    text = str(_cause(fault) or fault) or type(fault).__name__
    return text.splitlines()[0]


def _cause(fault: BaseException) -> BaseException | None:
    orig = getattr(fault, "orig", None)
    return orig if orig is None or orig.__cause__ is None else orig.__cause__
