"""Orders: approved with every answer, final with every part, canceled with every reason."""

from datetime import timedelta

import pytest
from support.fixed_infrastructure import NOW
from support.spec import given

from bookshelf.cqrs.errors import Conflict, Invalid, NotFound
from bookshelf.cqrs.message import Command, Event
from bookshelf.shop import order_commands as commands
from bookshelf.shop import order_events as events
from bookshelf.shop.money import Money, TotalTooLarge
from bookshelf.shop.order import ORDER
from bookshelf.shop.values import BoughtLine, OrderLine, Reason

PRICE, TOTAL = Money(1000, "EUR"), Money(3000, "EUR")
TERMS = events.Terms(customer="a-1", cart=True)
CARD = events.Terms(customer="a-1", pay="card", card="token")
LINES = (OrderLine("p-1", 2, PRICE), OrderLine("p-2", 1, PRICE))
OPEN_LINES = (OrderLine("p-1", 2), OrderLine("p-2", 1))
PLACED = events.OrderPlaced(terms=TERMS, lines=LINES, total=TOTAL, at=NOW)
PAID, DECLINED = events.PaymentAnswered(), Reason(code="card-declined", decline="lost")
OUT = Reason(code="out-of-stock", product="p-2", wanted=1, available=0)


def bought(product: str, quantity: int, price: Money = PRICE) -> BoughtLine:
    return BoughtLine(product=product, quantity=quantity, name="Dune", price=price, vat_permille=70)


B1, B2 = bought("p-1", 2), bought("p-2", 1)
HELD_1 = events.StockAnswered(product="p-1", line=B1)
HELD_2 = events.StockAnswered(product="p-2", line=B2)
OUT_2 = events.StockAnswered(product="p-2", reason=OUT)
NOTE_1 = commands.NoteStock(product="p-1", line=B1, at=NOW)
NOTE_2 = commands.NoteStock(product="p-2", line=B2, at=NOW)
NOTE_OUT_2 = commands.NoteStock(product="p-2", reason=OUT, at=NOW)
APPROVED = events.OrderApproved(terms=TERMS, lines=LINES, total=TOTAL, at=NOW)
APPROVED_ORDER = (PLACED, HELD_1, HELD_2, PAID, APPROVED)
FINAL = events.OrderFinalized(terms=TERMS, lines=(B1, B2), total=TOTAL, at=NOW)
FINAL_ORDER = (*APPROVED_ORDER, *(events.PartTaken(part=p) for p in ("p-1", "p-2", "payment")), FINAL)


def canceled(
    *reasons: Reason, total: Money | None = TOTAL, approved: bool = False, terms: events.Terms = TERMS
) -> events.OrderCanceled:
    lines = LINES if total else OPEN_LINES
    return events.OrderCanceled(
        terms=terms, lines=lines, total=total, reasons=reasons, approved=approved, at=NOW
    )


def test_an_order_is_placed_once_with_its_total_if_all_prices_are_given() -> None:
    place = commands.PlaceOrder(terms=TERMS, lines=LINES, at=NOW)
    given(ORDER).when(place).then(PLACED)
    given(ORDER, PLACED).when(place).refused(Conflict, field="id")
    for lines in (OPEN_LINES, (LINES[0], OPEN_LINES[1])):
        placed = events.OrderPlaced(terms=TERMS, lines=lines, at=NOW)
        given(ORDER).when(commands.PlaceOrder(terms=TERMS, lines=lines, at=NOW)).then(placed)


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        ((), Invalid),
        (tuple(OrderLine(f"p-{n}", 1) for n in range(51)), Invalid),
        ((OrderLine("p-1", 1), OrderLine("p-1", 2)), Invalid),
        ((OrderLine("p-1", 0),), Invalid),
        ((OrderLine("p-1", 1000),), Invalid),
        ((OrderLine("p-1", 1, Money(10**9 + 1, "EUR")),), Invalid),
        ((LINES[0], OrderLine("p-2", 1, Money(1, "USD"))), Invalid),
        (tuple(OrderLine(f"p-{n}", 999, Money(10**9, "EUR")) for n in range(2)), TotalTooLarge),
    ],
)
def test_an_order_has_lines_within_bounds(lines: tuple[OrderLine, ...], kind: type[Invalid]) -> None:
    place = commands.PlaceOrder(terms=TERMS, lines=lines, at=NOW)
    given(ORDER).when(place).refused(kind, field="lines")


@pytest.mark.parametrize(
    "answers", [(NOTE_1, NOTE_2, "pay"), ("pay", NOTE_1, NOTE_2), (NOTE_2, "pay", NOTE_1)]
)
def test_an_order_is_approved_with_the_last_answer_in_any_order(
    answers: tuple[Command | str, ...],
) -> None:
    past: list[Event] = [PLACED]
    for answer in answers:
        command = answer if isinstance(answer, Command) else commands.NotePayment(at=NOW)
        past += ORDER.decide(ORDER.fold(past), command)
    assert past[-1] == APPROVED
    assert len(past) == 5


def test_an_order_without_prices_is_priced_by_its_holds_and_then_paid() -> None:
    placed = events.OrderPlaced(terms=TERMS, lines=OPEN_LINES, at=NOW)
    priced = events.OrderPriced(terms=TERMS, total=TOTAL)
    given(ORDER, placed, HELD_1).when(NOTE_2).then(HELD_2, priced)
    given(ORDER, placed, HELD_1).when(commands.NotePayment(at=NOW)).then()
    approved = events.OrderApproved(terms=TERMS, lines=OPEN_LINES, total=TOTAL, at=NOW)
    past = (placed, HELD_1, HELD_2, priced)
    given(ORDER, *past).when(commands.NotePayment(at=NOW)).then(PAID, approved)
    given(ORDER, placed, HELD_1).when(NOTE_OUT_2).then(OUT_2, canceled(OUT, total=None))


def test_a_total_that_is_too_large_cancels_an_order_without_prices() -> None:
    lines = (OrderLine("p-1", 999), OrderLine("p-2", 999))
    placed = events.OrderPlaced(terms=TERMS, lines=lines, at=NOW)
    held = [bought(line.product, 999, Money(10**9, "EUR")) for line in lines]
    first = events.StockAnswered(product="p-1", line=held[0])
    last = events.StockAnswered(product="p-2", line=held[1])
    end = events.OrderCanceled(terms=TERMS, lines=lines, reasons=(Reason(code="total-too-large"),), at=NOW)
    note = commands.NoteStock(product="p-2", line=held[1], at=NOW)
    given(ORDER, placed, first).when(note).then(last, end)


def test_an_order_waits_for_all_answers_and_keeps_every_reason() -> None:
    short = Reason(code="insufficient-credit", needed=3000, available=500)
    unpaid = events.PaymentAnswered(reason=short)
    given(ORDER, PLACED, HELD_1).when(NOTE_OUT_2).then(OUT_2)
    given(ORDER, PLACED, HELD_1, OUT_2).when(commands.NotePayment(reason=short, at=NOW)).then(
        unpaid, canceled(OUT, short)
    )
    given(ORDER, PLACED, unpaid, OUT_2).when(NOTE_1).then(HELD_1, canceled(OUT, short))
    given(ORDER, PLACED, HELD_1, HELD_2).when(commands.NotePayment(reason=short, at=NOW)).then(
        unpaid, canceled(short)
    )


def test_the_two_answers_are_shown_as_received_until_both_are_there() -> None:
    def answers(*past: Event) -> tuple[str, str]:
        state = ORDER.fold(past)
        return state.stock_answer, state.payment_answer

    assert answers(PLACED, HELD_1) == ("PENDING", "PENDING")
    assert answers(PLACED, HELD_1, HELD_2) == ("RECEIVED", "PENDING")
    assert answers(PLACED, PAID) == ("PENDING", "RECEIVED")
    assert answers(*APPROVED_ORDER) == ("APPROVED", "APPROVED")
    unpaid = events.PaymentAnswered(reason=DECLINED)
    assert answers(PLACED, HELD_1, OUT_2, unpaid, canceled(OUT, DECLINED)) == ("DENIED", "DENIED")


@pytest.mark.parametrize("past", [(PLACED, canceled(OUT)), APPROVED_ORDER, FINAL_ORDER])
def test_a_late_answer_changes_nothing(past: tuple[Event, ...]) -> None:
    late = (NOTE_1, NOTE_OUT_2, commands.NotePayment(at=NOW), commands.ExpireOrder(at=NOW))
    for command in late:
        given(ORDER, *past).when(command).then()


def test_an_answer_that_comes_twice_or_for_another_product_changes_nothing() -> None:
    given(ORDER, PLACED, HELD_1).when(NOTE_1).then()
    given(ORDER, PLACED).when(commands.NoteStock(product="p-3", line=B1, at=NOW)).then()
    given(ORDER, PLACED).when(commands.NoteStock(product="p-1", at=NOW)).then()
    given(ORDER, PLACED, PAID).when(commands.NotePayment(at=NOW)).then()
    for command in (NOTE_1, commands.NotePayment(at=NOW), commands.NoteTaken(part="p-1", at=NOW)):
        given(ORDER).when(command).then()


def test_an_order_is_final_with_its_last_part() -> None:
    past = list(APPROVED_ORDER)
    for part in ("payment", "p-2"):
        taken = events.PartTaken(part=part)
        given(ORDER, *past).when(commands.NoteTaken(part=part, at=NOW)).then(taken)
        past.append(taken)
        given(ORDER, *past).when(commands.NoteTaken(part=part, at=NOW)).then()
    last = events.PartTaken(part="p-1")
    given(ORDER, *past).when(commands.NoteTaken(part="p-1", at=NOW)).then(last, FINAL)


def test_an_order_that_is_not_answered_in_30_seconds_is_canceled() -> None:
    assert ORDER.due is not None
    when = NOW + timedelta(seconds=30)
    assert ORDER.due(ORDER.fold([PLACED])) == (when, commands.ExpireOrder(at=when))
    timeout = Reason(code="timeout")
    given(ORDER, PLACED).when(commands.ExpireOrder(at=NOW)).then(canceled(timeout))
    given(ORDER, PLACED, OUT_2).when(commands.ExpireOrder(at=NOW)).then(canceled(OUT, timeout))
    assert ORDER.due(ORDER.fold([PLACED, canceled(timeout)])) is None
    assert ORDER.due(ORDER.fold(FINAL_ORDER)) is None
    assert ORDER.due(ORDER.fold([])) is None


def test_an_approved_order_stalls_after_5_minutes_and_still_goes_on() -> None:
    assert ORDER.due is not None
    stall = commands.StallOrder(reason="timeout")
    assert ORDER.due(ORDER.fold(APPROVED_ORDER)) == (NOW + timedelta(minutes=5), stall)
    stalled = events.OrderStalled(reason="timeout")
    given(ORDER, *APPROVED_ORDER).when(stall).then(stalled)
    given(ORDER, *APPROVED_ORDER, stalled).when(stall).then()
    assert ORDER.due(ORDER.fold([*APPROVED_ORDER, stalled])) is None
    given(ORDER, PLACED).when(stall).then()
    taken = events.PartTaken(part="p-1")
    given(ORDER, *APPROVED_ORDER, stalled).when(commands.NoteTaken(part="p-1", at=NOW)).then(taken)


def test_a_customer_cancels_a_pending_order_only() -> None:
    cancel = commands.CancelOrder(customer="a-1", at=NOW)
    given(ORDER, PLACED).when(cancel).then(canceled(Reason(code="customer")))
    given(ORDER).when(cancel).refused(NotFound)
    given(ORDER, PLACED).when(commands.CancelOrder(customer="a-2", at=NOW)).refused(NotFound)
    given(ORDER, *FINAL_ORDER).when(commands.CancelOrder(customer="a-2", at=NOW)).refused(NotFound)
    stalled = (*APPROVED_ORDER, events.OrderStalled(reason="timeout"))
    for past, state in ((APPROVED_ORDER, "APPROVED"), (stalled, "APPROVED"), (FINAL_ORDER, "FINALIZED")):
        given(ORDER, *past).when(cancel).refused(Conflict, match=state)
    given(ORDER, PLACED, canceled(OUT)).when(cancel).refused(Conflict, match="CANCELED")


def test_a_manager_cancels_a_pending_or_stalled_order() -> None:
    cancel, by_manager = commands.CancelOrder(at=NOW), Reason(code="manager")
    given(ORDER, PLACED).when(cancel).then(canceled(by_manager))
    given(ORDER, *APPROVED_ORDER).when(cancel).refused(Conflict)
    stalled = (*APPROVED_ORDER, events.OrderStalled(reason="timeout"))
    given(ORDER, *stalled).when(cancel).then(canceled(by_manager, approved=True))


APPROVED_CARD = (
    *(events.OrderPlaced(terms=CARD, lines=LINES, total=TOTAL, at=NOW), HELD_1, HELD_2, PAID),
    events.OrderApproved(terms=CARD, lines=LINES, total=TOTAL, at=NOW),
)
STALLED_CARD = (*APPROVED_CARD, events.OrderStalled(reason="capture-declined", decline="lost"))


def test_a_declined_capture_stalls_the_order_until_a_manager_decides() -> None:
    stall = commands.StallOrder(reason="capture-declined", decline="lost")
    given(ORDER, *APPROVED_CARD).when(stall).then(STALLED_CARD[-1])
    late = (*APPROVED_CARD, events.OrderStalled(reason="timeout"))
    given(ORDER, *late).when(stall).then(STALLED_CARD[-1])
    given(ORDER, *late).when(commands.CancelOrder(at=NOW)).refused(Conflict, match="under way")
    given(ORDER, *STALLED_CARD).when(stall).then()
    given(ORDER, *APPROVED_ORDER).when(stall).then()
    end = canceled(Reason(code="manager"), approved=True, terms=CARD)
    given(ORDER, *STALLED_CARD).when(commands.CancelOrder(at=NOW)).then(end)


def test_a_declined_capture_is_tried_again() -> None:
    assert ORDER.due is not None
    retry, retried = commands.RetryCapture(at=NOW), events.CaptureRetried(at=NOW)
    given(ORDER, *STALLED_CARD).when(retry).then(retried)
    for past in ((PLACED,), APPROVED_CARD, APPROVED_ORDER, FINAL_ORDER, (*STALLED_CARD, retried)):
        given(ORDER, *past).when(retry).refused(Conflict)
    given(ORDER, *STALLED_CARD, retried).when(commands.CancelOrder(at=NOW)).refused(Conflict)
    again = ORDER.due(ORDER.fold([*STALLED_CARD, retried]))
    assert again == (NOW + timedelta(minutes=5), commands.StallOrder(reason="timeout"))
    captured = (*STALLED_CARD, retried, events.PartTaken(part="payment"))
    assert ORDER.fold(captured).capture == "done"


def test_a_final_order_is_shipped_once() -> None:
    shipped = events.OrderShipped(tracking="T1", at=NOW)
    ship = commands.ShipOrder(tracking="T1", at=NOW)
    given(ORDER, *FINAL_ORDER).when(ship).then(shipped)
    given(ORDER, *FINAL_ORDER, shipped).when(ship).refused(Conflict, match="shipped")
    given(ORDER, *APPROVED_ORDER).when(ship).refused(Conflict, match="APPROVED")
    given(ORDER).when(ship).refused(NotFound)
