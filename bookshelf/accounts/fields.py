"""The rules of handles, e-mail addresses and passwords, and the ids of their claims. They do no I/O."""

import hmac
import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from bookshelf.cqrs.errors import Invalid

_HANDLE = re.compile(r"[a-z0-9._-]{3,32}")
_HANDLE_IS = "has 3 to 32 of the characters a-z 0-9 . _ -"
_EMAIL_MAX = 254
_NAME_MAX = 200
_PASSWORD_LEAST, _PASSWORD_MOST = 10, 1024
#: Characters of a password that its strength is computed of, and the guesses that it must need.
_MEASURED = 72
_GUESSES = 10**8
#: Scripts that are written together: those of Japanese and of Korean.
_TOGETHER = (
    frozenset({"CJK", "HIRAGANA", "KATAKANA", "LATIN"}),
    frozenset({"CJK", "HANGUL", "LATIN"}),
    frozenset({"CJK", "BOPOMOFO", "LATIN"}),
)


class Email(NamedTuple):
    """An address as it was typed, and in the form that addresses are compared in."""

    typed: str
    canonical: str


def check_handle(text: str) -> str:
    """Return a handle. Raises `Invalid`."""
    if _HANDLE.fullmatch(text) is None:
        raise Invalid(_HANDLE_IS, field="handle")
    return text


def check_name(text: str) -> str:
    """Return a person's name, without white space around it. Raises `Invalid`."""
    name = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(name) <= _NAME_MAX or any(_is_control(character) for character in name):
        raise Invalid(f"has 1 to {_NAME_MAX} characters, and no control characters", field="name")
    return name


def _is_control(character: str) -> bool:
    """Return True for controls, and for the marks that turn the direction of text."""
    return unicodedata.category(character) in {"Cc", "Cs"} or unicodedata.bidirectional(character) in {
        *("LRE", "RLE", "LRO", "RLO", "PDF"),
        *("LRI", "RLI", "FSI", "PDI"),
    }


def check_email(text: str) -> Email:
    """Return an e-mail address. Raises `Invalid`.

    Its canonical form has the domain in IDNA and the local part in NFC, case-folded (UTS 46, RFC 6532).
    """
    from email_validator import EmailNotValidError, validate_email  # noqa: PLC0415 (only accounts need it)

    try:
        valid = validate_email(text, check_deliverability=False)
    except EmailNotValidError as fault:
        raise Invalid(f"is no e-mail address: {str(fault)[:200]}", field="email") from None
    if len(text) > _EMAIL_MAX:
        raise Invalid(f"has up to {_EMAIL_MAX} characters", field="email")
    local = unicodedata.normalize("NFC", valid.local_part)
    labels = (*re.split(r"[.+_-]", local), *valid.domain.split("."))
    if mixed := next((label for label in labels if _mixes_scripts(label)), None):
        raise Invalid(f"mixes the letters of different scripts in {mixed!r}", field="email")
    domain = (valid.ascii_domain or valid.domain).lower()
    return Email(text, f"{unicodedata.normalize('NFC', local.casefold())}@{domain}")


def _mixes_scripts(label: str) -> bool:
    scripts = {unicodedata.name(letter, "?").partition(" ")[0] for letter in label if letter.isalpha()}
    return len(scripts) > 1 and not any(scripts <= written for written in _TOGETHER)


def prepare_password(text: str) -> str:
    """Return a password in the form that is hashed (RFC 8265, OpaqueString). Raises `Invalid`."""
    spaced = "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)
    prepared = unicodedata.normalize("NFC", spaced)
    if any(unicodedata.category(character) in {"Cc", "Cs", "Cn"} for character in prepared):
        raise Invalid("has no control characters", field="password")
    if not _PASSWORD_LEAST <= len(prepared.encode()) <= _PASSWORD_MOST:
        raise Invalid(f"has {_PASSWORD_LEAST} to {_PASSWORD_MOST} bytes", field="password")
    return prepared


def check_password(text: str, inputs: Iterable[str]) -> str:
    """Return a new password in the form that is hashed. Raises `Invalid`.

    It must need at least 10^8 guesses of an attacker with the `inputs`: handle, name and so on.
    """
    from zxcvbn import zxcvbn  # noqa: PLC0415 (only accounts need it)

    prepared = prepare_password(text)
    known = [part for text in inputs for part in {text, *re.split(r"[\s@.]+", text)} if part]
    if zxcvbn(prepared[:_MEASURED], user_inputs=known)["guesses"] < _GUESSES:
        raise Invalid("is guessed too easily; take a longer one, or several words", field="password")
    return prepared


def handle_claim(secret: bytes, handle: str) -> str:
    """Return the id of the claim of a handle."""
    return f"h-{_digest(secret, handle)}"


def email_claim(secret: bytes, email: Email) -> str:
    """Return the id of the claim of an address."""
    return f"e-{_digest(secret, email.canonical)}"


def login_claim(secret: bytes, login: str) -> str | None:
    """Return the id of the claim that a sign-in names by handle or address; None if it is neither."""
    try:
        if "@" in login:
            return email_claim(secret, check_email(login))
        return handle_claim(secret, check_handle(login.strip().lower()))
    except Invalid:
        return None


def _digest(secret: bytes, text: str) -> str:
    return hmac.new(secret, text.encode(), "sha256").hexdigest()
