"""Handles, e-mail addresses and passwords: what is accepted, and what counts as the same."""

import pytest

from bookshelf.accounts.fields import (
    check_email,
    check_handle,
    check_name,
    check_password,
    email_claim,
    handle_claim,
    login_claim,
    prepare_password,
)
from bookshelf.cqrs.errors import Invalid

SECRET = b"secret"


@pytest.mark.parametrize("handle", ["ann", "a.b_c-9", "x" * 32])
def test_a_handle_is_accepted(handle: str) -> None:
    assert check_handle(handle) == handle


@pytest.mark.parametrize("handle", ["", "ab", "x" * 33, "Ann", "a b c", "änn", "ann\n", "ann\0"])
def test_any_other_handle_is_refused(handle: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_handle(handle)
    assert refusal.value.field == "handle"


def test_names_are_kept_but_for_controls_and_length() -> None:
    assert check_name("  Zoe\u0308 <b> 🏜 שלום ") == "Zoë <b> 🏜 שלום"
    for name in ("", " ", "a\0b", "a\u202eb", "a\u2066b", "x" * 201):
        with pytest.raises(Invalid, match="control"):
            check_name(name)


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [
        ("Ann@Example.org", "ann@example.org"),
        ("ann+books@example.org", "ann+books@example.org"),
        ("Straße@bücher.example", "strasse@xn--bcher-kva.example"),
        ("Zoe\u0308@example.org", "zoë@example.org"),
        ("用户@例子.example", "用户@xn--fsqu00a.example"),
    ],
)
def test_addresses_are_kept_as_typed_and_compared_in_one_form(typed: str, canonical: str) -> None:
    assert check_email(typed) == (typed, canonical)


@pytest.mark.parametrize(
    "address",
    [
        "ann",
        "ann@",
        "ann@home",
        "a@b@example.org",
        '"ann smith"@example.org',
        "ann@[127.0.0.1]",
        f"{'a' * 64}@{'b' * 60}.{'c' * 60}.{'d' * 60}.example",
        "p\u0430ul@example.org",
        "ann@ex\u0430mple.org",
        "ann\0@example.org",
        "ann @example.org",
    ],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_email(address)
    assert refusal.value.field == "email"


def test_a_password_is_compared_in_one_form_and_never_cut() -> None:
    assert prepare_password("Zoe\u0308 reads\u00a0much") == "Zoë reads much"
    assert len(prepare_password("x" * 1024)) == 1024
    for password in ("", "short", "x" * 1025, "ü" * 513, "with\ncontrols in it", "unassigned \u0378 here"):
        with pytest.raises(Invalid) as refusal:
            prepare_password(password)
        assert refusal.value.field == "password"


@pytest.mark.parametrize(
    "password", ["password123", "ann.books.2026", "aaaaaaaaaaaaaaaa", "ann@reader.example"]
)
def test_a_password_that_is_guessed_easily_is_refused(password: str) -> None:
    with pytest.raises(Invalid, match="guessed too easily"):
        check_password(password, ["ann.books", "Ann Reader", "ann@reader.example", "Bookshelf"])


def test_several_words_make_a_password() -> None:
    assert check_password("correct horse battery staple", ["ann"]) == "correct horse battery staple"


def test_a_claim_is_named_by_a_secret_hash_and_found_by_any_spelling_of_the_login() -> None:
    email = check_email("Ann@Example.org")
    assert login_claim(SECRET, " ANN@example.ORG".strip()) == email_claim(SECRET, email)
    assert login_claim(SECRET, " Ann ") == handle_claim(SECRET, "ann")
    assert handle_claim(SECRET, "ann") != handle_claim(b"other", "ann")
    assert (handle_claim(SECRET, "ann")[:2], email_claim(SECRET, email)[:2]) == ("h-", "e-")
    assert [login_claim(SECRET, login) for login in ("", "a b", "a@b@c", "x" * 9999)] == [None] * 4
