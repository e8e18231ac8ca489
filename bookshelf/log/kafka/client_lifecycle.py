"""Starts aiokafka's clients, and stops them in any state, whether or not a broker answers."""

import asyncio
import contextlib
from typing import Any
from weakref import WeakKeyDictionary

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, errors

#: Seconds that a client may take to stop by itself, before its connections are cut.
_POLITE_S = 5.0
#: Seconds that it may take after it was cancelled.
_CUT_S = 5.0
_logger = structlog.get_logger(__name__)
_starting: "WeakKeyDictionary[Any, asyncio.Task[None]]" = WeakKeyDictionary()


async def start_client(client: Any) -> None:  # noqa: ANN401 (aiokafka has no types)
    """Start a producer or a consumer. If the caller is cancelled, the start itself still continues.

    Stopping the client waits for it: a start that is cancelled would leave its connection open.
    """
    starting = _starting[client] = asyncio.create_task(client.start())
    ignore_result(starting)
    await asyncio.shield(starting)


def ignore_result(future: "asyncio.Future[Any]") -> None:
    """Retrieve a future's exception, which is reported elsewhere too, so that asyncio does not log it."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())


async def stop_producer(producer: AIOKafkaProducer) -> None:
    """Stop a producer without sending its queued records and without ending an open transaction."""
    waiting = producer._message_accumulator  # noqa: SLF001 (stop() would wait for what is in it)
    waiting.fail_all(errors.ProducerClosed())
    queued = [batch for batches in waiting._batches.values() for batch in batches]  # noqa: SLF001 (as above)
    for batch in queued:
        ignore_result(batch._drain_waiter)  # noqa: SLF001 (it fails too, and nothing awaits it)
    await _stop(producer, producer.client)


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer; a member leaves its group."""
    await _stop(consumer, consumer._client)  # noqa: SLF001 (the way to its connections)


async def _stop(stops: Any, client: Any) -> None:  # noqa: ANN401 (aiokafka has no types)
    if (starting := _starting.pop(stops, None)) is not None and not starting.done():
        await asyncio.wait({starting}, timeout=_POLITE_S)
        starting.cancel()
    stopping = asyncio.create_task(stops.stop())
    ignore_result(stopping)
    done, _ = await asyncio.wait({stopping}, timeout=_POLITE_S)
    if not done:
        await client.close()  # its requests then fail at once; it would retry them without end otherwise
        stopping.cancel()
        done, _ = await asyncio.wait({stopping}, timeout=_CUT_S)
    if not done:
        _logger.warning("kafka-client-hangs", client=type(stops).__name__)
    with contextlib.suppress(errors.KafkaError, OSError):
        await client.close()
