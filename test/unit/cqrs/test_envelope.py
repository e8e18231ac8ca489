"""The envelope is CloudEvents 1.0 in structured JSON, and nothing that is not."""

from datetime import UTC, datetime

import msgspec
import pytest

from bookshelf.cqrs.envelope import Envelope, decode_envelope, encode_envelope
from bookshelf.cqrs.errors import Malformed

FULL = {
    "specversion": "1.0",
    "id": "1",
    "source": "newbook",
    "type": "shelf.book-removed.v1",
    "subject": "book-1",
    "time": "2026-03-01T12:00:00Z",
    "datacontenttype": "application/json",
    "data": {},
    "actor": "reader",
}


def test_an_envelope_is_decoded_as_it_was_encoded() -> None:
    envelope = Envelope(
        specversion="1.0",
        id="1",
        source="newbook",
        type="shelf.book-removed.v1",
        subject="книга",
        time=datetime(2026, 3, 1, 12, 0, 0, 1, UTC),
        datacontenttype="application/json",
        data=msgspec.Raw(b'{"a":[1,2]}'),
        actor="reader",
        commandid="c",
        commandhash="h",
        correlationid="o",
        causationid="a",
        traceparent="t",
        undoes="u",
    )
    written = encode_envelope(envelope)
    found = decode_envelope(written)
    assert bytes(found.data) == b'{"a":[1,2]}'
    assert encode_envelope(found) == written


def test_missing_attributes_are_left_out() -> None:
    envelope = decode_envelope(msgspec.json.encode(FULL))
    assert msgspec.json.decode(encode_envelope(envelope)) == FULL


def test_unknown_attributes_are_ignored() -> None:
    assert decode_envelope(msgspec.json.encode({**FULL, "dataschema": "x", "ours": {"a": 1}})).id == "1"


@pytest.mark.parametrize("name", FULL)
def test_every_required_attribute_is_checked(name: str) -> None:
    less = {key: value for key, value in FULL.items() if key != name}
    with pytest.raises(Malformed, match=name):
        decode_envelope(msgspec.json.encode(less))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"[" * 100_000,
        msgspec.json.encode({**FULL, "specversion": "0.3"}),
        msgspec.json.encode({**FULL, "datacontenttype": "text/xml"}),
        msgspec.json.encode({**FULL, "time": "yesterday"}),
        msgspec.json.encode({**FULL, "subject": 1}),
        b'{"data":' * 50_000,
    ],
    ids=lambda value: repr(value[:20]),
)
def test_an_invalid_envelope_is_malformed(value: bytes) -> None:
    with pytest.raises(Malformed, match=r"not a CloudEvents 1\.0 envelope"):
        decode_envelope(value)
