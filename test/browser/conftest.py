"""A browser, and an empty shelf, for the tests of one file."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from support.browser import browser
from support.client import Client
from support.program import Program


@pytest.fixture(scope="module")
def running() -> Iterator[Browser]:
    with browser() as started:
        yield started


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with Program(tmp_path_factory.mktemp("shelf") / "data").ready() as up:
        yield up
        assert up.stop().well


@pytest.fixture
def client(shelf: Program) -> Client:
    """One client for all that a test writes: its queries see it."""
    return shelf.client
