"""Credit: amounts are reserved for orders before they are paid, each answer is an event."""

from support.spec import given

from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.shop import events
from bookshelf.shop.credit import (
    CREDIT,
    GrantCredit,
    OpenCredit,
    ReleaseCredit,
    ReserveCredit,
    ReturnCredit,
    SetCredit,
    TakeCredit,
)
from bookshelf.shop.money import MOST, Money


def eur(amount: int) -> Money:
    return Money(amount, "EUR")


OPENED = events.CreditOpened(amount=eur(10_000))
RESERVED = events.CreditReserved(order="o-1", amount=eur(4000))


def test_the_starting_credit_is_given_once() -> None:
    given(CREDIT).when(OpenCredit(amount=eur(10_000))).then(OPENED)
    given(CREDIT, OPENED).when(OpenCredit(amount=eur(10_000))).then()
    granted = (events.CreditOpened(amount=eur(0)), events.CreditGranted(amount=eur(500)))
    given(CREDIT, *granted).when(OpenCredit(amount=eur(10_000))).then(OPENED)
    assert CREDIT.fold([*granted, OPENED]).balance == 10_500


def test_a_grant_opens_a_credit_that_is_not_there() -> None:
    granted = events.CreditGranted(amount=eur(500), why="sorry")
    given(CREDIT).when(GrantCredit(amount=eur(500), why="sorry")).then(
        events.CreditOpened(amount=eur(0)), granted
    )
    given(CREDIT, OPENED).when(GrantCredit(amount=eur(500), why="sorry")).then(granted)
    given(CREDIT, OPENED).when(GrantCredit(amount=Money(1, "USD"))).refused(Invalid, field="amount.currency")
    given(CREDIT, OPENED).when(GrantCredit(amount=eur(MOST))).refused(Conflict)


def test_a_credit_is_set_but_not_below_what_is_reserved() -> None:
    given(CREDIT, OPENED).when(SetCredit(amount=eur(300), why="limit")).then(
        events.CreditSet(amount=eur(300), former=10_000, why="limit")
    )
    given(CREDIT, OPENED).when(SetCredit(amount=eur(10_000))).then()
    given(CREDIT, OPENED, RESERVED).when(SetCredit(amount=eur(3999))).refused(Conflict, match="4000")
    given(CREDIT).when(SetCredit(amount=eur(1))).refused(NotFound)


def test_a_credit_that_no_order_has_used_is_set_in_the_currency_of_the_shop() -> None:
    dollars = Money(5000, "USD")
    anew = events.CreditSet(amount=dollars, former=10_000)
    given(CREDIT, OPENED).when(SetCredit(amount=dollars)).then(anew)
    assert CREDIT.fold([OPENED, anew]).currency == "USD"
    reserve = ReserveCredit(order="o-1", amount=dollars)
    refused = events.CreditRefused(order="o-1", reason="other-currency", needed=5000, available=10_000)
    given(CREDIT, OPENED).when(reserve).then(refused)
    given(CREDIT, OPENED, anew).when(reserve).then(events.CreditReserved(order="o-1", amount=dollars))
    elsewhere = SetCredit(amount=dollars, foreign=True)
    given(CREDIT, OPENED).when(elsewhere).refused(Invalid, field="amount.currency")
    released = events.CreditReleased(order="o-1", amount=eur(4000))
    given(CREDIT, OPENED, RESERVED, released).when(SetCredit(amount=dollars)).refused(Conflict, match="EUR")


def test_an_amount_is_reserved_if_it_is_available() -> None:
    given(CREDIT, OPENED).when(ReserveCredit(order="o-1", amount=eur(4000))).then(RESERVED)
    given(CREDIT, OPENED, RESERVED).when(ReserveCredit(order="o-1", amount=eur(4000))).then()
    short = events.CreditRefused(order="o-2", reason="insufficient-credit", needed=6001, available=6000)
    given(CREDIT, OPENED, RESERVED).when(ReserveCredit(order="o-2", amount=eur(6001))).then(short)
    unknown = events.CreditRefused(order="o-1", reason="unknown-customer", needed=1, available=0)
    given(CREDIT).when(ReserveCredit(order="o-1", amount=eur(1))).then(unknown)


def test_a_credit_that_is_not_there_is_opened_if_that_is_asked_for() -> None:
    reserve = ReserveCredit(order="o-1", amount=eur(4000), opening=eur(10_000))
    given(CREDIT).when(reserve).then(OPENED, RESERVED)
    given(CREDIT, OPENED).when(reserve).then(RESERVED)


def test_a_reserved_amount_is_released_or_taken_once() -> None:
    reserved = (OPENED, RESERVED)
    released = events.CreditReleased(order="o-1", amount=eur(4000))
    taken = events.CreditTaken(order="o-1", amount=eur(4000))
    given(CREDIT, *reserved).when(ReleaseCredit(order="o-1")).then(released)
    given(CREDIT, *reserved).when(TakeCredit(order="o-1")).then(taken)
    for end in (released, taken):
        given(CREDIT, *reserved, end).when(ReleaseCredit(order="o-1")).then()
        given(CREDIT, *reserved, end).when(TakeCredit(order="o-1")).then()
    assert CREDIT.fold([*reserved, taken]).balance == 6000
    assert CREDIT.fold([*reserved, released]).available == 10_000


def test_what_a_canceled_order_has_taken_comes_back() -> None:
    back = ReturnCredit(order="o-1", amount=eur(4000))
    given(CREDIT, OPENED, RESERVED).when(back).then(events.CreditReleased(order="o-1", amount=eur(4000)))
    taken = (OPENED, RESERVED, events.CreditTaken(order="o-1", amount=eur(4000)))
    given(CREDIT, *taken).when(back).then(events.CreditReturned(order="o-1", amount=eur(4000)))
