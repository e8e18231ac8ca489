"""The services of the shop have their routes in their documents, and the values of their settings."""

import pytest
from support.shop import SHOP

from bookshelf.config import WrongSetting
from bookshelf.runtime.openapi import document


def test_the_documents_of_the_shop_have_every_route() -> None:
    for service in SHOP:
        loaded = service.loaded()
        assert loaded.serves
        assert {route.path for route in loaded.serves} <= document(loaded)["paths"].keys()


def test_a_zone_that_there_is_not_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKSHELF_SHOP_ZONE", "Europe/Bookshelf")
    with pytest.raises(WrongSetting, match=r"shop_zone .*'Europe/Bookshelf' is no time zone"):
        SHOP[0].loaded()
