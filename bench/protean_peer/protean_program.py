"""The baseline: Protean's process manager, on its adapters in memory, with synchronous processing.

It is run by a Python that has Protean (`PROTEAN_PYTHON`), and prints its figures as JSON.
"""

import sys

from protean import handle
from protean.fields import Identifier, String
from protean.utils.globals import current_domain
from protean_loop import measure, synchronous

WHAT = (
    "an aggregate is saved and raises an event; the process manager saves its transition, and its command is "
    "handled; nothing is durable"
)
domain = synchronous("bench")
handled: list[str] = []


@domain.aggregate
class ProteanOrder:
    """An order."""

    order_id = Identifier(identifier=True)


@domain.event(part_of=ProteanOrder)
class ProteanPlaced:
    """An order was placed."""

    order_id = Identifier(required=True)


@domain.aggregate
class ProteanStore:
    """What holds units for orders."""

    store_id = Identifier(identifier=True)


@domain.command(part_of=ProteanStore)
class ProteanHold:
    """Hold what an order wants."""

    order_id = Identifier(required=True)


@domain.command_handler(part_of=ProteanStore)
class ProteanHandler:
    """Handles the command."""

    @handle(ProteanHold)
    def hold(self, command: ProteanHold) -> None:
        """Count it."""
        handled.append(command.order_id)


@domain.process_manager(stream_categories=["bench::protean_order"])
class ProteanHolding:
    """Turns the event into the command."""

    order_id = Identifier()
    status = String(default="new")

    @handle(ProteanPlaced, start=True, correlate="order_id")
    def on_placed(self, event: ProteanPlaced) -> None:
        """Send the command."""
        self.order_id = event.order_id
        self.status = "holding"
        current_domain.process(ProteanHold(order_id=event.order_id), asynchronous=False)


def _place(number: int) -> None:
    name = f"o{number}"
    order = ProteanOrder(order_id=name)
    order.raise_(ProteanPlaced(order_id=name))
    current_domain.repository_for(ProteanOrder).add(order)


def _failure(placed: int) -> str:
    return "" if len(handled) == placed else f"{placed} events have led to {len(handled)} commands"


def main(seconds: float) -> None:
    """Measure for so long."""
    domain.init(traverse=False)
    with domain.domain_context():
        measure(seconds, _place, _failure, {"what": WHAT})


if __name__ == "__main__":
    main(float(sys.argv[1]))
