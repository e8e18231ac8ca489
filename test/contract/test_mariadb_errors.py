"""Each error number of MariaDB and Galera that has a meaning, raised by a real server, has its effect.

`SIGNAL` raises any number, so what the driver makes of it is the driver's own.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from support.mariadb import Server

from bookshelf.storage.mariadb import faults
from bookshelf.storage.mariadb.database import MariaDbDatabase
from bookshelf.storage.port import StorageFault
from bookshelf.storage.shared.database import ConnectionLost, Timeouts

pytestmark = pytest.mark.needs("mariadb")
#: What each number leads to; a test compares it with what is mapped.
CONFLICTS = {
    1020: "another transaction has changed the row",
    1180: "the commit has failed",
    1205: "a lock was not given in time",
    1213: "a deadlock, or a conflict that certification has found",
    1305: "the savepoint is gone with its transaction",
}
LOST = {
    1047: "the node has lost the majority, or is not ready",
    1053: "the server stops",
    1152: "the connection was aborted",
    1158: "packets could not be read",
    1159: "packets were not read in time",
    1160: "packets could not be written",
    1161: "packets were not written in time",
    1927: "the connection was killed",
    2002: "no socket",
    2003: "no server",
    2006: "the server has gone away",
    2013: "lost during a query",
    2014: "out of step",
    2055: "lost at a packet",
}
MISSING = {1008: "no database to drop", 1049: "no database", 1146: "no table"}
BUSY = {1040: "too many connections", 1047: "the node is not ready", 1203: "too many of this user"}
GIVEN = {
    1071: "a key that is too long",
    1118: "a row that is too large",
    1153: "a packet that is too large",
    1264: "a number out of range",
    1366: "letters that the column has not",
    1406: "a text that is too long",
    1690: "a result out of range",
}
#: Neither of the above: an error that may be gone later, and one that no retry helps, are both faults.
OTHERS = {1021: "the disk is full", 1290: "the server is read-only", 1969: "the statement took too long"}


@pytest.fixture
def url(mariadb_server: Server) -> Iterator[str]:
    with mariadb_server.database() as name:
        yield mariadb_server.url(name)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[MariaDbDatabase]:
    database = MariaDbDatabase(url.rpartition("/")[0] + "/", Timeouts())
    try:
        yield database
    finally:
        await database.close()


class Raising:
    """Work whose first transactions end with an error of this number."""

    def __init__(self, number: int, times: int) -> None:
        self.number, self.left, self.tried = number, times, 0

    def __call__(self, db: Connection) -> int:
        self.tried += 1
        if self.left:
            self.left -= 1
            raising = f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {self.number}, MESSAGE_TEXT = 'planted'"
            db.execute(text(raising))
        return int(db.scalar(text("SELECT 7")) or 0)


def test_every_number_that_is_mapped_has_a_test() -> None:
    assert frozenset(CONFLICTS) == faults._CONFLICTS  # noqa: SLF001 (the list that is tested)
    assert frozenset(LOST) == faults._LOST  # noqa: SLF001
    assert frozenset(MISSING) == faults._MISSING  # noqa: SLF001
    assert frozenset(BUSY) == faults._BUSY  # noqa: SLF001
    assert frozenset(GIVEN) == faults._GIVEN  # noqa: SLF001


@pytest.mark.parametrize("number", CONFLICTS)
async def test_a_transaction_that_another_one_was_in_the_way_of_is_repeated(url: str, number: int) -> None:
    async with opened(url) as database:
        work = Raising(number, 3)
        assert await database.run(database.writing, work) == 7
        assert work.tried == 4
        always = Raising(number, 1000)
        with pytest.raises(StorageFault, match=f"{number}: planted"):
            await database.run(database.writing, always)
        assert always.tried == 6  # and then it is a fault


@pytest.mark.parametrize("number", LOST)
async def test_a_connection_that_is_lost_is_dropped_and_the_next_one_works(url: str, number: int) -> None:
    async with opened(url) as database:
        ask: Callable[[Connection], int] = lambda db: int(db.scalar(text("SELECT connection_id()")) or 0)  # noqa: E731 (typed)
        before = await database.run(database.reading, ask)
        work = Raising(number, 1)
        with pytest.raises(ConnectionLost, match=f"{number}: planted"):
            await database.run(database.reading, work)
        assert work.tried == 1  # its outcome is unknown
        assert await database.run(database.reading, ask) != before


@pytest.mark.parametrize("number", [*MISSING, *BUSY, *OTHERS])
async def test_other_errors_are_faults_of_the_storage_that_may_pass(url: str, number: int) -> None:
    async with opened(url) as database:
        with pytest.raises(StorageFault, match=f"{number}: planted") as raised:
            await database.run(database.writing, Raising(number, 1))
        cause = raised.value.__cause__
        assert cause is not None
        assert database.missing(cause) == (number in MISSING)
        assert faults.is_busy(cause) == (number in BUSY)
        assert faults.is_conflict(cause) is False
        assert await database.run(database.writing, Raising(number, 0)) == 7


@pytest.mark.parametrize("number", GIVEN)
async def test_an_error_of_the_values_is_none_of_the_storage(url: str, number: int) -> None:
    async with opened(url) as database:
        work = Raising(number, 1)
        with pytest.raises(DBAPIError) as raised:
            await database.run(database.writing, work)
        assert faults.number(raised.value) == number
        assert work.tried == 1
        assert await database.run(database.writing, work) == 7
