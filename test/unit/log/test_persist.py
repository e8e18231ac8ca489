"""A request to Kafka is repeated while its error may pass."""

import pytest
from aiokafka import errors

from bookshelf.log.kafka.faults import persist


class Broker:
    """Raises these errors, one for each request, then answers."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)

    async def ask(self) -> str:
        if self.faults:
            raise self.faults.pop(0)
        return "answer"


@pytest.mark.parametrize(
    "fault", [errors.KafkaTimeoutError("offsets"), errors.LeaderNotAvailableError()], ids=repr
)
async def test_an_error_that_may_pass_is_none(fault: Exception) -> None:
    assert await persist(Broker(fault, fault).ask) == "answer"


async def test_a_refusal_is_raised() -> None:
    broker = Broker(errors.TopicAuthorizationFailedError())
    with pytest.raises(errors.TopicAuthorizationFailedError):
        await persist(broker.ask)
