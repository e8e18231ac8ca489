"""The services of the bookshop: their parts."""

from bookshelf.cqrs.service import Service
from bookshelf.shop.cards import FindProvider, cards
from bookshelf.shop.cart import CART
from bookshelf.shop.category import CATEGORY
from bookshelf.shop.credit import CREDIT
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.invoicing import Seller, invoicing
from bookshelf.shop.order import ORDER
from bookshelf.shop.ordering import ORDERING
from bookshelf.shop.payment import PAYMENT
from bookshelf.shop.product import PRODUCT
from bookshelf.shop.sandbox import sandbox
from bookshelf.shop.series import SERIES
from bookshelf.shop.stock import STOCK
from bookshelf.shop.welcome import welcoming


def shop_services(
    seller: Seller, currency: str = "EUR", provider: FindProvider = sandbox
) -> tuple[Service, ...]:
    """Return the services of a shop with this seller, currency and card provider."""
    return (
        Service(
            name="products",
            summary="Products, their categories and their stock",
            tags=("shop", "products"),
            port=8091,
            runs=(PRODUCT, CATEGORY, STOCK),
            serves=(),
        ),
        Service(
            name="customers",
            summary="The credit of customers",
            tags=("shop", "customers"),
            port=8092,
            runs=(CREDIT, welcoming(currency)),
            serves=(),
        ),
        Service(
            name="orders",
            summary="Carts and orders, from the reservation to the purchase",
            tags=("shop", "orders"),
            port=8093,
            runs=(CART, ORDER, ORDERING),
            serves=(),
        ),
        Service(
            name="payments",
            summary="Payments by card",
            tags=("shop", "payments"),
            port=8094,
            runs=(PAYMENT, cards(provider)),
            serves=(),
        ),
        Service(
            name="accounting",
            summary="Invoices, numbered without gaps",
            tags=("shop", "accounting"),
            port=8095,
            runs=(SERIES, INVOICE, invoicing(seller)),
            serves=(),
        ),
    )
