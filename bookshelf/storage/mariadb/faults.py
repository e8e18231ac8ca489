"""Classifies errors of MariaDB and of Galera by their numbers.

https://mariadb.com/kb/en/mariadb-error-codes/
"""

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from bookshelf.storage.port import StorageFault

#: A deadlock, or a conflict that Galera's certification has found at the commit (1213); a lock that was not
#: given in time (1205); a commit that failed (1180); a row that another transaction has changed (1020). After
#: them the transaction is gone, and with it its savepoints (1305).
_CONFLICTS = frozenset({1205, 1213, 1180, 1020, 1305})
#: Stops (1053), ended by the server (1927), not reachable (2002 to 2006, 2013, 2055); 1047: a node of a
#: Galera cluster that has lost the majority, or is not ready yet; 1152, 1158 to 1161: the network.
_LOST = frozenset({1047, 1053, 1152, 1158, 1159, 1160, 1161, 1927, 2002, 2003, 2006, 2013, 2014, 2055})
#: A table, a database (twice: 1008 where one is dropped) that does not exist.
_MISSING = frozenset({1008, 1049, 1146})
#: The server has too many connections (1040), or starts (1047).
_BUSY = frozenset({1040, 1047, 1203})
#: Values that no row can have: too long (1406, 1118, 1071), not of the column's characters (1366), too large
#: a packet (1153) or an integer out of range (1264, 1690).
_GIVEN = frozenset({1071, 1118, 1153, 1264, 1366, 1406, 1690})


def number(fault: BaseException) -> int:
    """Return the number of an error; 0 if it has none."""
    arguments = getattr(getattr(fault, "orig", None) or fault, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


def message_of(fault: BaseException) -> str:
    """Return the first line of the database's error message, with its number."""
    arguments = getattr(getattr(fault, "orig", None) or fault, "args", ())
    text = ": ".join(str(argument) for argument in arguments) or type(fault).__name__
    return text.splitlines()[0]


def of_storage(fault: BaseException) -> bool:
    """Return True if the same statement with the same values can succeed later."""
    if not isinstance(fault, DBAPIError):
        return isinstance(fault, StorageFault | OSError | PendingRollbackError | PoolTimeoutError)
    return not isinstance(fault, DataError | IntegrityError) and number(fault) not in _GIVEN


def is_conflict(fault: BaseException) -> bool:
    """Return True if another transaction was in the way: the same one may succeed at once."""
    return number(fault) in _CONFLICTS


def is_lost(fault: BaseException) -> bool:
    """Return True if the connection is of no more use: another one may work at once."""
    if isinstance(fault, OSError) and not isinstance(fault, TimeoutError):
        return True
    return number(fault) in _LOST or bool(getattr(fault, "connection_invalidated", False))


def is_busy(fault: BaseException) -> bool:
    """Return True if the server will answer soon."""
    return number(fault) in _BUSY


def is_missing(fault: BaseException) -> bool:
    """Return True if a table or a database does not exist."""
    return number(fault) in _MISSING
