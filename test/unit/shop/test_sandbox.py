"""The sandbox takes test cards only, and keeps nothing of their numbers; the connector notes its answers."""

from datetime import timedelta
from typing import cast

import pytest
from support.fixed_infrastructure import NOW, FixedClock
from support.spec import on_event_called

from bookshelf.cqrs.errors import Invalid
from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.cqrs.process import Send
from bookshelf.shop.cards import CardDeclined, Charge, cards
from bookshelf.shop.money import Money
from bookshelf.shop.payment import (
    PAYMENT,
    NoteAuthorized,
    NoteCaptured,
    NoteCaptureDeclined,
    NoteDeclined,
    NoteVoided,
)
from bookshelf.shop.payment_events import CaptureRequested, PaymentRequested, VoidRequested
from bookshelf.shop.sandbox import TEST_CARDS, CardSandbox, has_check_digit

GOOD = "4242424242424242"
TOTAL = Money(3000, "EUR")
CHARGE = Charge("event-1", "o-1", TOTAL)


async def provider(_ports: HandlerPorts) -> CardSandbox:
    return shop()


CARDS = cards(provider)
#: The provider of the tests needs none.
PORTS = cast("HandlerPorts", None)


def shop(clock: FixedClock | None = None) -> CardSandbox:
    return CardSandbox(b"secret", (clock or FixedClock()).now)


def token(number: str) -> str:
    return shop().tokenize(number, "03/26", "123")[0]


def test_a_token_has_the_last_four_digits_and_no_more_of_a_number() -> None:
    made = shop().tokenize("4242 4242-42424242", "03/26", "123")
    text = made.token
    assert made[1:] == ("Visa", "4242", NOW + timedelta(minutes=15))
    content = shop().read(text)
    assert (content.behaviour, *made[1:]) == ("good", content.brand, content.last4, content.until)
    assert GOOD[:12] not in text
    assert all(map(has_check_digit, TEST_CARDS))


@pytest.mark.parametrize(
    ("number", "expiry", "cvc", "field"),
    [
        ("4242424242424241", "03/26", "123", "number"),
        ("4111111111111111", "03/26", "123", "number"),  # a number outside the test numbers
        ("1" * 30, "03/26", "123", "number"),
        ("42", "03/26", "123", "number"),
        ("424242424242424x", "03/26", "123", "number"),
        (GOOD, "02/26", "123", "expiry"),
        (GOOD, "13/30", "123", "expiry"),
        (GOOD, "0326", "123", "expiry"),
        (GOOD, "03/26", "12", "cvc"),
        (GOOD, "03/26", "abc", "cvc"),
    ],
)
def test_other_cards_are_refused(number: str, expiry: str, cvc: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        shop().tokenize(number, expiry, cvc)
    assert refused.value.field == field
    assert number not in refused.value.detail


@pytest.mark.parametrize("text", ["", "x", "e30=.x", token(GOOD) + "0", "é"])
async def test_a_token_of_another_shop_is_declined(text: str) -> None:
    with pytest.raises(CardDeclined, match="unknown-card"):
        await shop().authorize(CHARGE, text)


async def test_a_token_is_valid_for_15_minutes() -> None:
    clock = FixedClock()
    text = shop(clock).tokenize(GOOD, "03/26", "123")[0]
    clock.move(timedelta(minutes=15))
    assert await shop(clock).authorize(CHARGE, text) == text
    clock.move(timedelta(seconds=1))
    with pytest.raises(CardDeclined, match="expired-token"):
        await shop(clock).authorize(CHARGE, text)


async def test_one_card_declines_the_first_capture_of_an_order_alone() -> None:
    tried = shop()
    late = token("4000000000000358")
    for _ in range(2):  # each call may come twice
        with pytest.raises(CardDeclined, match="declined"):
            await tried.capture(CHARGE, late)
    await tried.capture(Charge("event-2", "o-1", TOTAL), late)
    with pytest.raises(CardDeclined, match="declined"):
        await tried.capture(Charge("event-3", "o-2", TOTAL), late)


async def test_the_connector_notes_what_the_provider_answers() -> None:
    good, late = token(GOOD), token("4000000000000341")
    noted = {
        PaymentRequested(amount=TOTAL, card=good): NoteAuthorized(authorization=good),
        PaymentRequested(amount=TOTAL, card=token("4000000000000002")): NoteDeclined(decline="declined"),
        PaymentRequested(amount=TOTAL, card=token("4000000000009995")): NoteDeclined(
            decline="insufficient-funds"
        ),
        CaptureRequested(amount=TOTAL, authorization=good): NoteCaptured(),
        CaptureRequested(amount=TOTAL, authorization=late): NoteCaptureDeclined(decline="declined"),
        VoidRequested(): NoteVoided(),
    }
    for event, command in noted.items():
        called = await on_event_called(CARDS, event, PORTS, subject="o-1")
        called.sends(Send(PAYMENT, "o-1", command))
    silent = PaymentRequested(amount=TOTAL, card=token("4000000000000119"))
    with pytest.raises(TimeoutError):
        await on_event_called(CARDS, silent, PORTS, subject="o-1")
