"""The golden log of accounts: every type of event that was ever written can be read in every later release.

A new event type needs a line in test/fixtures/golden/accounts.jsonl; an old line is never changed or removed.
"""

import msgspec
import pytest
from support.process import ROOT

from bookshelf.accounts.account import ACCOUNT
from bookshelf.accounts.claim import CLAIM, ClaimHolder
from bookshelf.accounts.events import EVENTS
from bookshelf.accounts.group import GROUP, AccountGroup
from bookshelf.accounts.session import SESSION
from bookshelf.cqrs.envelope import Envelope, decode_envelope, encode_envelope
from bookshelf.cqrs.message import Event

LINES = (ROOT / "test/fixtures/golden/accounts.jsonl").read_bytes().splitlines()
ENVELOPES = [decode_envelope(line) for line in LINES]
ANN, BEN = (f"a-0190a5a4-3b00-7000-8000-00000000000{n}" for n in (1, 2))


def decoded(envelope: Envelope) -> Event:
    event = EVENTS.decode(envelope.type, bytes(envelope.data))
    assert event is not None, envelope.type
    return event


def events_of(subject: str) -> list[Event]:
    return [decoded(envelope) for envelope in ENVELOPES if envelope.subject == subject]


def test_every_event_has_a_golden_sample_with_every_field() -> None:
    for event in EVENTS:
        said = {name for e in ENVELOPES if e.type == event.TYPE for name in msgspec.json.decode(e.data)}
        assert event.TYPE in {envelope.type for envelope in ENVELOPES}
        assert said == {field.name for field in msgspec.structs.fields(event)}, event


def test_the_golden_log_folds_to_the_states_that_it_always_folded_to() -> None:
    ann = ACCOUNT.fold(events_of(ANN))
    assert (ann.status, ann.groups, ann.epoch, ann.suspended) == ("open", ("reader", "manager"), 2, False)
    assert (ann.name[:6], ann.address, ann.pending) == ("\x02name:", None, None)
    assert ACCOUNT.fold(events_of(BEN)).status == "forgotten"
    assert CLAIM.fold(events_of(ann.handle_claim)) == ClaimHolder(account=ANN)
    session = SESSION.fold(events_of("s-0190a5a4-3b00-7000-8000-0000000000aa"))
    assert (session.account, session.n, session.ended) == (ANN, 1, "signed-out")
    assert GROUP.fold(events_of("g-lenders")) == AccountGroup()


@pytest.mark.parametrize("line", LINES, ids=lambda line: decode_envelope(line).type)
def test_what_is_written_today_has_the_same_bytes(line: bytes) -> None:
    envelope = decode_envelope(line)
    assert encode_envelope(envelope) == line
    assert msgspec.json.encode(decoded(envelope)) == bytes(envelope.data)
