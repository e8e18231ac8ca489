"""A shelf, and the site of its reader with running jobs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.pages import Pages, ShelfApi
from support.shelf import Shelf

from bookshelf.shelf.pages.site import SITE


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as running:
        yield running


@pytest.fixture
async def pages(shelf: Shelf, tmp_path: Path) -> AsyncIterator[Pages]:
    pages = Pages(SITE, ShelfApi(shelf), shelf.clock, tmp_path / "site")
    async with pages.running_jobs():
        yield pages
