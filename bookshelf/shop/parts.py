"""What each service of the bookshop runs: its aggregates, views, processes and connectors."""

from collections.abc import Mapping
from typing import Any

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.process import Process
from bookshelf.cqrs.view import View
from bookshelf.shop import carts, catalogue, customers, orders
from bookshelf.shop.cards import FindProvider, cards
from bookshelf.shop.cart import CART
from bookshelf.shop.category import CATEGORY
from bookshelf.shop.credit import CREDIT
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.invoices import invoices_view
from bookshelf.shop.invoicing import Seller, invoicing
from bookshelf.shop.order import ORDER
from bookshelf.shop.ordering import ordering
from bookshelf.shop.payment import PAYMENT
from bookshelf.shop.product import PRODUCT
from bookshelf.shop.sandbox import sandbox
from bookshelf.shop.series import SERIES
from bookshelf.shop.stock import STOCK
from bookshelf.shop.welcome import LOCAL_READER, welcoming

Part = Aggregate[Any] | View | Process | Connector


def shop_parts(
    seller: Seller,
    currency: str = "EUR",
    provider: FindProvider = sandbox,
    local_reader: str = LOCAL_READER,
) -> Mapping[str, tuple[Part, ...]]:
    """Return the parts of each service of a shop with this seller, currency and card provider.

    `local_reader`: the account of the local reader.
    """
    return {
        "products": (PRODUCT, CATEGORY, STOCK, catalogue.VIEW),
        "customers": (CREDIT, welcoming(currency, local_reader), customers.VIEW),
        "orders": (CART, ORDER, ordering(currency), carts.VIEW, orders.VIEW),
        "payments": (PAYMENT, cards(provider)),
        "accounting": (SERIES, INVOICE, invoicing(seller), invoices_view(seller.zone)),
    }
