"""Payments by card: captured at most what was authorized, voided whatever was under way."""

import pytest
from support.spec import given

from bookshelf.cqrs.message import Event
from bookshelf.shop import payment_events as events
from bookshelf.shop.money import Money
from bookshelf.shop.payment import (
    PAYMENT,
    Authorize,
    Capture,
    NoteAuthorized,
    NoteCaptured,
    NoteCaptureDeclined,
    NoteDeclined,
    NoteVoided,
    Void,
)

TOTAL = Money(3000, "EUR")
REQUESTED = events.PaymentRequested(amount=TOTAL, card="token")
AUTHORIZED = events.PaymentAuthorized(authorization="auth")
CAPTURING = events.CaptureRequested(amount=TOTAL, authorization="auth")
CAPTURED, VOIDING = events.PaymentCaptured(amount=TOTAL), events.VoidRequested()
NOT_CAPTURED = events.CaptureDeclined(decline="lost")


def test_a_payment_is_authorized_or_declined_once() -> None:
    authorize = Authorize(amount=TOTAL, card="token")
    given(PAYMENT).when(authorize).then(REQUESTED)
    given(PAYMENT, REQUESTED).when(authorize).then()
    given(PAYMENT, REQUESTED).when(NoteAuthorized(authorization="auth")).then(AUTHORIZED)
    declined = events.PaymentDeclined(decline="lost")
    given(PAYMENT, REQUESTED).when(NoteDeclined(decline="lost")).then(declined)
    for answer in (AUTHORIZED, declined):
        given(PAYMENT, REQUESTED, answer).when(NoteAuthorized(authorization="auth")).then()
        given(PAYMENT, REQUESTED, answer).when(NoteDeclined(decline="lost")).then()


def test_only_an_authorized_amount_is_captured() -> None:
    given(PAYMENT, REQUESTED, AUTHORIZED).when(Capture()).then(CAPTURING)
    given(PAYMENT, REQUESTED).when(Capture()).then()
    past = (REQUESTED, AUTHORIZED, CAPTURING)
    given(PAYMENT, *past).when(Capture()).then()
    given(PAYMENT, *past).when(NoteCaptured()).then(CAPTURED)
    given(PAYMENT, *past, CAPTURED).when(NoteCaptured()).then()
    given(PAYMENT, *past, CAPTURED).when(Capture()).then()


def test_a_declined_capture_can_be_tried_again_or_voided() -> None:
    past = (REQUESTED, AUTHORIZED, CAPTURING, NOT_CAPTURED)
    given(PAYMENT, *past[:-1]).when(NoteCaptureDeclined(decline="lost")).then(NOT_CAPTURED)
    given(PAYMENT, *past).when(Capture()).then(CAPTURING)
    given(PAYMENT, *past).when(Void()).then(VOIDING)


def test_a_void_during_the_authorization_ends_it_whatever_its_answer() -> None:
    given(PAYMENT, REQUESTED).when(Void()).then(VOIDING)
    past = (REQUESTED, VOIDING)
    given(PAYMENT, *past).when(NoteAuthorized(authorization="auth")).then(AUTHORIZED)
    given(PAYMENT, *past, AUTHORIZED).when(Capture()).then()
    given(PAYMENT, *past, AUTHORIZED).when(NoteVoided()).then(events.PaymentVoided())
    given(PAYMENT, *past, events.PaymentDeclined(decline="lost")).when(NoteVoided()).then(
        events.PaymentVoided()
    )


@pytest.mark.parametrize(
    "past",
    [
        (),
        (REQUESTED, events.PaymentDeclined(decline="lost")),
        (REQUESTED, AUTHORIZED, CAPTURING),
        (REQUESTED, AUTHORIZED, CAPTURING, CAPTURED),
        (REQUESTED, AUTHORIZED, VOIDING),
        (REQUESTED, AUTHORIZED, VOIDING, events.PaymentVoided()),
    ],
)
def test_what_is_not_authorized_or_captured_already_is_not_voided(past: tuple[Event, ...]) -> None:
    given(PAYMENT, *past).when(Void()).then()
