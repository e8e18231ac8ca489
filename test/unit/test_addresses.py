"""Addresses of a shelf as people have them at hand."""

import pytest

from bookshelf.cli.client import NoShelf, address_of


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://localhost:8000/bookshelf/books", "http://localhost:8000"),
        ("http://localhost:8000/bookshelf/", "http://localhost:8000"),
        ("localhost:8000", "http://localhost:8000"),
        ("localhost", "http://localhost"),
        ("127.0.0.1:8000/bookshelf", "http://127.0.0.1:8000"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("https://books.example", "https://books.example"),
    ],
)
def test_any_address_of_a_shelf_is_parsed(given: str, address: str) -> None:
    assert address_of(given) == address


@pytest.mark.parametrize("given", ["", "ftp://localhost", "http://", "localhost:port", "localhost:99999"])
def test_an_invalid_address_is_named(given: str) -> None:
    with pytest.raises(NoShelf, match="is no address of a shelf; one is like http://localhost:8000"):
        address_of(given)
