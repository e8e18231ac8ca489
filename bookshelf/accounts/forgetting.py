"""The connector that destroys the key of a person: whatever was sealed with it can never be read again."""

from collections.abc import Iterable

from bookshelf.accounts.events import EVENTS, TOPIC, AccountForgotten, AccountRejected
from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.cqrs.process import Send
from bookshelf.cqrs.view import Recorded


async def destroy_key(
    _event: AccountForgotten | AccountRejected,
    recorded: Recorded,
    _key: str,
    ports: HandlerPorts,
) -> Iterable[Send]:
    """Destroy the key of the account; a key that is destroyed already stays so."""
    await ports.forget(recorded.subject)
    return ()


FORGETTING = Connector(
    name="forgetting",
    topic=TOPIC,
    catalogue=EVENTS,
    calls={AccountForgotten: destroy_key, AccountRejected: destroy_key},
)
