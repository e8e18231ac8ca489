"""Sealed texts: equal ones of one key and field are equal, and none that was changed or moved is opened."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.cqrs.message import SEALED
from bookshelf.keyring.cipher import Cipher, split_sealed
from bookshelf.keyring.port import SealBroken

ANN, BEN = Cipher("a-1", b"1" * 32), Cipher("a-2", b"2" * 32)
TEXTS = st.text(min_size=1)


@given(TEXTS)
def test_a_sealed_text_is_opened_to_what_was_sealed(text: str) -> None:
    sealed = ANN.seal("notes", text)
    assert sealed.startswith(SEALED)
    assert text not in sealed or len(text) < 4
    assert ANN.open(split_sealed(sealed)) == text


@given(TEXTS, TEXTS)
def test_sealed_texts_are_equal_where_the_texts_are(one: str, other: str) -> None:
    assert (ANN.seal("notes", one) == ANN.seal("notes", other)) == (one == other)


def test_a_text_is_sealed_differently_for_each_field_and_person() -> None:
    sealed = {cipher.seal(field, "mine") for cipher in (ANN, BEN) for field in ("notes", "review")}
    assert len(sealed) == 4


def test_an_empty_text_stays_empty() -> None:
    assert ANN.seal("notes", "") == ""


@pytest.mark.parametrize("change", ["field", "key", "content"])
def test_a_changed_text_is_refused(change: str) -> None:
    sealed = ANN.seal("notes", "mine")
    changed = {
        "field": sealed.replace("notes", "review"),
        "key": sealed.replace("a-1", "a-2"),
        "content": sealed[:8] + ("B" if sealed[8] == "A" else "A") + sealed[9:],
    }[change]
    for cipher in (ANN, BEN):
        with pytest.raises(SealBroken):
            cipher.open(split_sealed(changed))


@pytest.mark.parametrize("text", ["", SEALED, f"{SEALED}notes:AAAA", f"{SEALED}notes:?:a-1", f"{SEALED}:A:a"])
def test_what_has_another_form_is_refused(text: str) -> None:
    with pytest.raises(SealBroken):
        split_sealed(text)


@pytest.mark.parametrize("content", ["A", "AAAA", "AAAAA"])
def test_a_shortened_text_is_refused(content: str) -> None:
    shortened = f"{SEALED}notes:{content}:a-1"
    with pytest.raises(SealBroken):
        ANN.open(split_sealed(shortened))


def test_a_keyed_hash_depends_on_the_key() -> None:
    assert ANN.keyed("hash") == ANN.keyed("hash") != BEN.keyed("hash")
    assert ANN.keyed("hash") != ANN.keyed("other")


def test_texts_and_hashes_of_earlier_releases_are_recognised() -> None:
    former = f"{SEALED}notes:UnYWQThh0jR_qOg1XKi8b6iG2hw2-85auq6qfLPOlVMV3bA1UT7gJA==:a-1"
    assert ANN.seal("notes", "Lent by Ann.") == former
    assert ANN.open(split_sealed(former)) == "Lent by Ann."
    assert ANN.keyed("hash") == "8fb9416345b36936831f52417bfbd637"
