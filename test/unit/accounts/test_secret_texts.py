"""Refresh tokens and cookies: made again from their parts, and bound to what they are for."""

from datetime import timedelta

import pytest
from support.fixed_infrastructure import NOW

from bookshelf.accounts.handlers.secret_texts import SecretTexts

SESSION = "s-0190a5a4-3b00-7000-8000-000000000001"
TEXTS = SecretTexts(b"secret")


def test_a_refresh_token_is_read_by_its_maker_only() -> None:
    token = TEXTS.refresh_token(SESSION, 3)
    assert token == TEXTS.refresh_token(SESSION, 3)
    assert TEXTS.read_refresh_token(token) == (SESSION, 3)
    assert SecretTexts(b"other").read_refresh_token(token) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s-1.2",
        TEXTS.refresh_token(SESSION, 3).replace(".3.", ".4."),
        TEXTS.refresh_token(SESSION, 3)[:-1],
        TEXTS.refresh_token(SESSION, 3) + "\n",
        TEXTS.cookie(SESSION),
        SESSION + ".3." + TEXTS.cookie(SESSION).rpartition(".")[2],
    ],
)
def test_any_other_text_is_no_refresh_token(text: str) -> None:
    assert TEXTS.read_refresh_token(text) is None


def test_a_cookie_names_its_session() -> None:
    assert TEXTS.read_cookie(TEXTS.cookie(SESSION)) == SESSION
    for text in ("", SESSION, TEXTS.cookie(SESSION)[:-1] + "_", TEXTS.refresh_token(SESSION, 0)):
        assert TEXTS.read_cookie(text) is None


def test_a_device_is_known_to_its_account_for_180_days() -> None:
    cookie = TEXTS.device_cookie("a-1", NOW)
    device = TEXTS.read_device_cookie(cookie, "a-1", NOW + timedelta(days=180))
    assert device is not None
    assert TEXTS.read_device_cookie(TEXTS.device_cookie("a-1", NOW, device), "a-1", NOW) == device
    assert TEXTS.read_device_cookie(cookie, "a-1", NOW + timedelta(days=181)) is None
    assert TEXTS.read_device_cookie(cookie, "a-2", NOW) is None
    assert TEXTS.read_device_cookie("x", "a-1", NOW) is None
    assert "a-1" not in cookie


def test_a_client_is_its_program_and_its_network() -> None:
    assert TEXTS.client("curl", "10.0.0.1") == TEXTS.client("curl", "10.0.0.1")
    assert (
        len({TEXTS.client(*of) for of in (("curl", "10.0.0.1"), ("curl", "10.0.0.2"), ("x", "10.0.0.1"))})
        == 3
    )
