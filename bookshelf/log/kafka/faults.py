"""Translates aiokafka's exceptions into those of the log port."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from aiokafka import errors

from bookshelf.log.port import Fenced, LogFault, OutcomeUnknown

T = TypeVar("T")

#: Seconds between two tries of a request that a broker cannot answer yet.
_PAUSE_S = 0.05

#: Errors of a fenced producer: its begin and commit fail assertions about its state, and its send raises
#: `IllegalOperation`, because it is not in a transaction.
FENCED = (errors.ProducerFenced, errors.InvalidProducerEpoch, errors.IllegalOperation, AssertionError)
#: Errors by which the broker refuses the records for good: nothing is written.
REFUSED = (
    errors.MessageSizeTooLargeError,
    errors.RecordListTooLargeError,
    errors.InvalidTopicError,
    errors.TopicAuthorizationFailedError,
    errors.GroupAuthorizationFailedError,
    errors.TransactionalIdAuthorizationFailed,
    errors.ClusterAuthorizationFailedError,
)


def message_of(fault: BaseException) -> str:
    """Return an error's text; many of aiokafka's have only a name."""
    return str(fault) or type(fault).__name__


def append_fault(fault: BaseException, where: str, *, committing: bool) -> LogFault:
    """Return the fault of a failed append; its outcome is unknown once the commit was requested."""
    if isinstance(fault, LogFault):
        return fault
    if isinstance(fault, TimeoutError):
        return OutcomeUnknown(f"{where}: no broker answered in time")
    if committing:
        return OutcomeUnknown(f"{where}: the commit was not answered: {message_of(fault)}")
    if isinstance(fault, FENCED):
        return Fenced(f"{where}: another writer has taken over ({message_of(fault)})")
    if isinstance(fault, REFUSED):
        return LogFault(f"{where}: Kafka refuses to write it, nothing was written: {message_of(fault)}")
    return OutcomeUnknown(f"{where}: {message_of(fault)}")


@asynccontextmanager
async def asking(what: str, seconds: float) -> AsyncIterator[None]:
    """Run requests to Kafka under a deadline and translate their errors. Raises `LogFault`."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as fault:
        msg = f"{what}: Kafka did not answer within {seconds:g} s; see whether its brokers are up"
        raise LogFault(msg) from fault
    except (errors.KafkaError, OSError) as fault:
        msg = f"{what}: {message_of(fault)}"
        raise LogFault(msg) from fault


async def persist(ask: Callable[[], Awaitable[T]]) -> T:
    """Repeat a request while its error is one that can be retried; the deadline is the caller's.

    A client that had no answer in its own time is among them: a broker may be slow for longer.
    """
    while True:
        try:
            return await ask()
        except errors.KafkaError as fault:
            if not (fault.retriable or isinstance(fault, errors.KafkaTimeoutError)):
                raise
        await asyncio.sleep(_PAUSE_S)
