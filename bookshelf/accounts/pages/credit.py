"""The credit of a person at the bookshop, with its changes: a section of the account while the shop runs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from bookshelf.site.page import _
from bookshelf.site.page_request import PageRequest

_SHOWN = 12
#: What the changes of a credit are called.
_CHANGES: Mapping[str, str] = {
    "credit-opened": _("To begin with"),
    "credit-granted": _("Given by the shop"),
    "credit-set": _("Set by the shop"),
    "credit-reserved": _("Reserved for an order"),
    "credit-released": _("No longer reserved"),
    "credit-taken": _("Paid for an order"),
    "credit-returned": _("Given back for an order"),
}
_OTHER = _("Changed")
#: Changes of what is reserved: they move no money.
_SET_ASIDE = frozenset({"credit-reserved", "credit-released"})


class PersonMoney(msgspec.Struct, frozen=True):
    """An amount in minor units of a currency."""

    amount: int
    currency: str


class PersonCredit(msgspec.Struct, frozen=True):
    """The credit of the person: what there is, what is reserved for orders, what is left."""

    balance: PersonMoney
    reserved: PersonMoney
    available: PersonMoney


class PersonEntry(msgspec.Struct, frozen=True):
    """A change of the credit."""

    type: str
    amount: int
    time: datetime
    order: str = ""
    why: str = ""


class CreditChange(NamedTuple):
    """A change as it is shown, with its order if it has one.

    `added`: the amount came to the credit. `moves`: it was more than reserved, or no longer.
    """

    text: str
    amount: int
    added: bool
    moves: bool
    time: datetime
    order: str
    why: str


class CreditSection(msgspec.Struct, frozen=True):
    """The credit, and its newest changes."""

    credit: PersonCredit
    changes: tuple[CreditChange, ...]


async def read_credit(request: PageRequest) -> CreditSection | None:
    """Return the credit of the person; None while there is no shop, or no credit yet."""
    credit = await request.api.try_get("/shop/customers/me/credit", kind=PersonCredit)
    if credit is None:
        return None
    path = f"/shop/customers/me/entries?limit={_SHOWN}"
    entries = await request.api.try_get(path, kind=list[PersonEntry])
    return to_section(credit.body, () if entries is None else entries.body)


def to_section(credit: PersonCredit, entries: Sequence[PersonEntry]) -> CreditSection:
    """Return the section for a credit."""
    return CreditSection(credit, tuple(map(_change, entries)))


def _change(entry: PersonEntry) -> CreditChange:
    name = entry.type.split(".")[1] if entry.type.count(".") > 1 else ""
    return CreditChange(
        text=_CHANGES.get(name, _OTHER),
        amount=abs(entry.amount),
        added=entry.amount >= 0,
        moves=name not in _SET_ASIDE,
        time=entry.time,
        order=entry.order,
        why=entry.why,
    )


def example_credit() -> CreditSection:
    """Return a credit for examples of the page."""
    at = datetime(2026, 1, 31, 20, 31, tzinfo=UTC)
    entries = (
        PersonEntry("shop.credit-taken.v1", -2598, at, "o-1"),
        PersonEntry("shop.credit-reserved.v1", 2598, at, "o-1"),
        PersonEntry("shop.credit-granted.v1", 5000, at, why="For the parcel that came late " * 4),
        PersonEntry("shop.credit-opened.v1", 10_000, at),
    )
    left, none = PersonMoney(12_402, "EUR"), PersonMoney(0, "EUR")
    return to_section(PersonCredit(left, none, left), entries)
