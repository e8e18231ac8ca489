"""The baseline of the shop: the same saga in Protean, in memory or on SQLite, with synchronous processing.

It is run by a Python that has Protean (`PROTEAN_PYTHON`), and prints its figures as JSON.
"""

import sys
import tempfile

from protean import handle
from protean.exceptions import ValidationError
from protean.fields import Identifier, Integer, String
from protean.utils.globals import current_domain
from protean_loop import measure, synchronous

WHAT = (
    "an order reserves a unit and credit, takes both, is final and gets an invoice: four aggregates and a "
    "process manager; one client, 20 customers, 10 products (more of them make each step slower)"
)
MEMORY = "in memory: nothing is durable"
DURABLE = (
    "aggregates in SQLite, as its provider opens it; the events and the state of the process in memory, "
    "because Protean keeps these only there or in a MessageDB of PostgreSQL"
)
CUSTOMERS, PRODUCTS, PRICE = 20, 10, 100
domain = synchronous("shop")


def _send(command: object) -> None:
    current_domain.process(command, asynchronous=False)


@domain.aggregate
class ProteanPurchase:
    """An order."""

    order_id = Identifier(identifier=True)
    product_id = Identifier(required=True)
    customer_id = Identifier(required=True)
    status = String(default="PENDING")


@domain.event(part_of=ProteanPurchase)
class PurchasePlaced:
    """An order was placed."""

    order_id = Identifier(required=True)
    product_id = Identifier(required=True)
    customer_id = Identifier(required=True)


@domain.event(part_of=ProteanPurchase)
class PurchaseFinalized:
    """An order is final."""

    order_id = Identifier(required=True)


@domain.command(part_of=ProteanPurchase)
class FinalizePurchase:
    """Note that all is taken."""

    order_id = Identifier(required=True)


@domain.command_handler(part_of=ProteanPurchase)
class PurchaseHandler:
    """Handles what the process asks of an order."""

    @handle(FinalizePurchase)
    def finalize(self, command: FinalizePurchase) -> None:
        """End it."""
        orders = current_domain.repository_for(ProteanPurchase)
        order = orders.get(command.order_id)
        order.status = "FINALIZED"
        order.raise_(PurchaseFinalized(order_id=order.order_id))
        orders.add(order)


@domain.aggregate
class ProteanUnits:
    """The units of a product."""

    part_id = Identifier(identifier=True)
    units = Integer(default=0)
    held = Integer(default=0)


@domain.aggregate
class ProteanBalance:
    """The credit of a customer."""

    part_id = Identifier(identifier=True)
    units = Integer(default=0)
    held = Integer(default=0)


@domain.event(part_of=ProteanUnits)
class UnitsHeld:
    """Units are held for an order."""

    order_id = Identifier(required=True)


@domain.event(part_of=ProteanUnits)
class UnitsSold:
    """Units are sold."""

    order_id = Identifier(required=True)


@domain.command(part_of=ProteanUnits)
class HoldUnits:
    """Hold units."""

    part_id = Identifier(required=True)
    order_id = Identifier(required=True)


@domain.command(part_of=ProteanUnits)
class SellUnits:
    """Sell units."""

    part_id = Identifier(required=True)
    order_id = Identifier(required=True)


@domain.event(part_of=ProteanBalance)
class BalanceHeld:
    """An amount is reserved for an order."""

    order_id = Identifier(required=True)


@domain.event(part_of=ProteanBalance)
class BalancePaid:
    """An amount is paid."""

    order_id = Identifier(required=True)


@domain.command(part_of=ProteanBalance)
class HoldBalance:
    """Reserve an amount."""

    part_id = Identifier(required=True)
    order_id = Identifier(required=True)


@domain.command(part_of=ProteanBalance)
class PayBalance:
    """Pay an amount."""

    part_id = Identifier(required=True)
    order_id = Identifier(required=True)


@domain.command_handler(part_of=ProteanUnits)
class UnitsHandler:
    """Handles what the process asks of a product."""

    @handle(HoldUnits)
    def hold(self, command: HoldUnits) -> None:
        """Hold a unit."""
        store = current_domain.repository_for(ProteanUnits)
        part = store.get(command.part_id)
        if part.units - part.held < 1:
            raise ValidationError({"units": ["out of stock"]})
        part.held += 1
        part.raise_(UnitsHeld(order_id=command.order_id))
        store.add(part)

    @handle(SellUnits)
    def sell(self, command: SellUnits) -> None:
        """Sell it."""
        store = current_domain.repository_for(ProteanUnits)
        part = store.get(command.part_id)
        part.held -= 1
        part.units -= 1
        part.raise_(UnitsSold(order_id=command.order_id))
        store.add(part)


@domain.command_handler(part_of=ProteanBalance)
class BalanceHandler:
    """Handles what the process asks of a customer's credit."""

    @handle(HoldBalance)
    def hold(self, command: HoldBalance) -> None:
        """Reserve the price."""
        store = current_domain.repository_for(ProteanBalance)
        part = store.get(command.part_id)
        if part.units - part.held < PRICE:
            raise ValidationError({"units": ["insufficient credit"]})
        part.held += PRICE
        part.raise_(BalanceHeld(order_id=command.order_id))
        store.add(part)

    @handle(PayBalance)
    def pay(self, command: PayBalance) -> None:
        """Take it."""
        store = current_domain.repository_for(ProteanBalance)
        part = store.get(command.part_id)
        part.held -= PRICE
        part.units -= PRICE
        part.raise_(BalancePaid(order_id=command.order_id))
        store.add(part)


@domain.aggregate
class ProteanInvoice:
    """The invoice of an order."""

    order_id = Identifier(identifier=True)


@domain.command(part_of=ProteanInvoice)
class InvoicePurchase:
    """Write an invoice."""

    order_id = Identifier(required=True)


@domain.command_handler(part_of=ProteanInvoice)
class InvoiceHandler:
    """Writes invoices."""

    @handle(InvoicePurchase)
    def write(self, command: InvoicePurchase) -> None:
        """Write it."""
        current_domain.repository_for(ProteanInvoice).add(ProteanInvoice(order_id=command.order_id))


@domain.process_manager(
    stream_categories=["shop::protean_purchase", "shop::protean_units", "shop::protean_balance"]
)
class ProteanSaga:
    """Brings an order to its end."""

    order_id = Identifier()
    product_id = Identifier()
    customer_id = Identifier()
    status = String(default="new")

    @handle(PurchasePlaced, start=True, correlate="order_id")
    def on_placed(self, event: PurchasePlaced) -> None:
        """Hold the unit."""
        self.order_id, self.product_id = event.order_id, event.product_id
        self.customer_id, self.status = event.customer_id, "holding"
        _send(HoldUnits(part_id=event.product_id, order_id=event.order_id))

    @handle(UnitsHeld, correlate="order_id")
    def on_units_held(self, event: UnitsHeld) -> None:
        """Reserve the price."""
        _send(HoldBalance(part_id=self.customer_id, order_id=event.order_id))

    @handle(BalanceHeld, correlate="order_id")
    def on_balance_held(self, event: BalanceHeld) -> None:
        """Approve: sell the unit."""
        self.status = "approved"
        _send(SellUnits(part_id=self.product_id, order_id=event.order_id))

    @handle(UnitsSold, correlate="order_id")
    def on_units_sold(self, event: UnitsSold) -> None:
        """Take the price."""
        _send(PayBalance(part_id=self.customer_id, order_id=event.order_id))

    @handle(BalancePaid, correlate="order_id")
    def on_balance_paid(self, event: BalancePaid) -> None:
        """End the order."""
        _send(FinalizePurchase(order_id=event.order_id))

    @handle(PurchaseFinalized, correlate="order_id", end=True)
    def on_finalized(self, event: PurchaseFinalized) -> None:
        """Have the invoice written."""
        _send(InvoicePurchase(order_id=event.order_id))


def _place(number: int) -> None:
    name, product, customer = f"o{number}", f"p{number % PRODUCTS}", f"a{number % CUSTOMERS}"
    order = ProteanPurchase(order_id=name, product_id=product, customer_id=customer)
    order.raise_(PurchasePlaced(order_id=name, product_id=product, customer_id=customer))
    current_domain.repository_for(ProteanPurchase).add(order)


def _failure(placed: int) -> str:
    store = current_domain.repository_for
    orders, invoices, units = store(ProteanPurchase), store(ProteanInvoice), store(ProteanUnits)
    names = [f"o{number}" for number in range(placed)]
    final = sum(orders.get(name).status == "FINALIZED" and bool(invoices.get(name)) for name in names)
    sold = sum(10**6 - units.get(f"p{one}").units for one in range(PRODUCTS))
    if final == placed == sold:
        return ""
    return f"of {placed} orders {final} are final, and {sold} units are sold"


def _supply() -> None:
    for kind, prefix, number in ((ProteanUnits, "p", PRODUCTS), (ProteanBalance, "a", CUSTOMERS)):
        for one in range(number):
            current_domain.repository_for(kind).add(kind(part_id=f"{prefix}{one}", units=10**6))


def main(seconds: float, *options: str) -> None:
    """Measure for so long; with the option `durable` the aggregates are in SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        if options:
            domain.config["databases"]["default"] = {
                "provider": "sqlite",
                "database_uri": f"sqlite:///{folder}/shop.sqlite",
            }
        domain.init(traverse=False)
        with domain.domain_context():
            if options:
                domain.setup_database()
            _supply()
            measure(seconds, _place, _failure, {"what": WHAT, "kept": DURABLE if options else MEMORY})


if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
