"""ISBNs of 10 and of 13 digits, and their check digits (ISO 2108)."""

import re

_TEN = re.compile(r"[0-9]{9}[0-9X]")


def is_isbn10(digits: str) -> bool:
    """Return True if the check digit of ten characters is right (modulus 11)."""
    values = (10 if digit == "X" else int(digit) for digit in digits)
    return sum((10 - place) * value for place, value in enumerate(values)) % 11 == 0


def is_isbn13(digits: str) -> bool:
    """Return True if the check digit of thirteen digits is right (modulus 10)."""
    return (sum(map(int, digits[::2])) + 3 * sum(map(int, digits[1::2]))) % 10 == 0


def to_isbn13(isbn: str) -> str:
    """Return the 13 digits of an ISBN of 10 or 13; other text stays."""
    if not _TEN.fullmatch(isbn):
        return isbn
    first = "978" + isbn[:9]
    return first + next(digit for digit in "0123456789" if is_isbn13(first + digit))


def isbn_title(isbn: str) -> str:
    """Return the title of a book of which only the ISBN is known."""
    return f"ISBN {to_isbn13(isbn)}"
