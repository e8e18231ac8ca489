"""The services of the shop: names, ports and paths are their own, and their documents have every route."""

from bookshelf.cqrs.service import check_services
from bookshelf.runtime.openapi import document
from bookshelf.services import SERVICES
from bookshelf.shop.handlers.shop_services import shop_services
from bookshelf.shop.invoicing import Seller


def test_the_services_of_the_shop_fit_beside_the_others() -> None:
    shop = shop_services(Seller("Bookshelf"))
    check_services([*(service for service in SERVICES if service.root is None), *shop], {"gateway": 8000})
    for service in shop:
        paths = document(service)["paths"]
        assert {route.path for route in service.serves} <= paths.keys()
