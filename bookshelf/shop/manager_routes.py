"""What managers ask of orders, stock and credit; and customers of an order of theirs, to cancel it."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.cqrs.handler import Caller, RequestContext
from bookshelf.cqrs.route import CommandRoute
from bookshelf.shop.credit import CREDIT, Credit, GrantCredit, SetCredit
from bookshelf.shop.customers import CreditAnswer, credit_answer
from bookshelf.shop.money import Amount, Money, Price
from bookshelf.shop.order import ORDER, Order
from bookshelf.shop.order_commands import CancelOrder, RetryCapture, ShipOrder
from bookshelf.shop.order_queries import OrderAnswer, to_order_answer
from bookshelf.shop.stock import STOCK, AddUnits, SetUnits
from bookshelf.shop.values import BUY, MANAGE, ONE_LINE
from bookshelf.shop.welcome import LOCAL_READER, STARTING_CREDIT, account_of, customer_named

#: A short text on one line, without controls.
Note = Annotated[str, Meta(max_length=200, pattern=ONE_LINE)]


class Shipment(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The number that a parcel can be followed by, if there is one."""

    tracking: Note = ""


class MoreUnits(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Units that have come in, and why."""

    add: Annotated[int, Meta(ge=1, le=10**6, description="how many", examples=[10])]
    why: Note = ""


class CountedUnits(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """How many units there are, those that are held among them, and why that differs."""

    units: Annotated[int, Meta(ge=0, le=10**6, description="how many", examples=[10])]
    why: Note = ""


class NewCredit(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The amount that a credit has from now on, what is reserved among it, and why."""

    amount: Amount
    why: Note = ""


class Grant(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """An amount to add to a credit, and why."""

    amount: Price
    why: Note = ""


def customer_of(caller: Caller) -> str:
    """Return the customer that a caller is."""
    return caller.owner or LOCAL_READER


def _cancel(_body: Any, context: RequestContext) -> CancelOrder:  # noqa: ANN401 (it has no fields)
    by_manager = context.caller.may(MANAGE)
    return CancelOrder(customer=None if by_manager else customer_of(context.caller), at=context.at)


def _grant(body: Grant, customer: str, currency: str) -> GrantCredit:
    """Return the command; a credit that it opens is in the currency of the shop.

    The local reader's, which nothing else has opened, begins as it is shown.
    """
    begins = STARTING_CREDIT if customer == LOCAL_READER else 0
    return GrantCredit(amount=body.amount.money, why=body.why, opening=Money(begins, currency))


def _set(body: NewCredit, currency: str) -> SetCredit:
    amount = body.amount.money
    return SetCredit(amount=amount, why=body.why, foreign=amount.currency != currency)


_CAPTURE = CommandRoute(
    method="POST",
    path="/shop/orders/{id}/capture",
    summary="Try a declined payment again",
    aggregate=ORDER,
    body_required=False,
    command=lambda _body, context: RetryCapture(at=context.at),
    status=202,
    requires=MANAGE,
    oversees=MANAGE,
)


def order_commands(local_reader: str = LOCAL_READER) -> tuple[CommandRoute, ...]:
    """Return the routes that change orders, for a shop with this account of the local reader."""

    def shown(order_id: str, order: Order) -> OrderAnswer:
        return to_order_answer(order_id, order, "", local_reader)

    return (
        CommandRoute(
            method="POST",
            path="/shop/orders/{id}/cancel",
            summary="Cancel an order",
            aggregate=ORDER,
            body_required=False,
            command=_cancel,
            answer=shown,
            returns=OrderAnswer,
            status=200,
            requires=BUY,
            oversees=MANAGE,
        ),
        CommandRoute(
            method="POST",
            path="/shop/orders/{id}/shipped",
            summary="Note that an order is on its way",
            aggregate=ORDER,
            body=Shipment,
            body_required=False,
            command=lambda body, context: ShipOrder(tracking=body.tracking, at=context.at),
            answer=shown,
            returns=OrderAnswer,
            status=200,
            requires=MANAGE,
            oversees=MANAGE,
        ),
        _CAPTURE,
    )


STOCK_COMMANDS = (
    CommandRoute(
        method="POST",
        path="/shop/products/{id}/units",
        summary="Note that more units are there",
        aggregate=STOCK,
        body=MoreUnits,
        command=lambda body, _context: AddUnits(units=body.add, why=body.why),
        requires=MANAGE,
    ),
    CommandRoute(
        method="PUT",
        path="/shop/products/{id}/units",
        summary="Set the units of a product",
        aggregate=STOCK,
        body=CountedUnits,
        command=lambda body, _context: SetUnits(units=body.units, why=body.why),
        conditional=True,
        requires=MANAGE,
    ),
)


def credit_commands(currency: str, local_reader: str = LOCAL_READER) -> tuple[CommandRoute, ...]:
    """Return the routes that change credit, for a shop with this currency and account of the local reader."""

    def customer(_body: Any, context: RequestContext) -> str:  # noqa: ANN401 (any of theirs)
        return customer_named(context.path["id"], local_reader)

    def shown(name: str, credit: Credit) -> CreditAnswer:
        account = account_of(name, local_reader)
        return credit_answer(account, credit.currency, credit.balance, credit.held)

    return (
        CommandRoute(
            method="POST",
            path="/shop/customers/{id}/credit/grants",
            summary="Give a customer more credit",
            aggregate=CREDIT,
            body=Grant,
            subject=customer,
            command=lambda body, context: _grant(body, customer(body, context), currency),
            answer=shown,
            returns=CreditAnswer,
            status=200,
            requires=MANAGE,
        ),
        CommandRoute(
            method="PUT",
            path="/shop/customers/{id}/credit",
            summary="Set the credit of a customer",
            aggregate=CREDIT,
            body=NewCredit,
            subject=customer,
            command=lambda body, _context: _set(body, currency),
            answer=shown,
            returns=CreditAnswer,
            status=200,
            conditional=True,
            requires=MANAGE,
        ),
    )
