"""The services of the bookshop: their parts and their routes."""

from typing import Any

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.connector import Connector
from bookshelf.cqrs.process import Process
from bookshelf.cqrs.route import Route
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.view import View
from bookshelf.shop import catalogue, customers, orders
from bookshelf.shop.cards import FindProvider, cards
from bookshelf.shop.cart import CART
from bookshelf.shop.catalogue_queries import CATALOGUE_ROUTES
from bookshelf.shop.category import CATEGORY
from bookshelf.shop.credit import CREDIT
from bookshelf.shop.customers import CUSTOMER_ROUTES
from bookshelf.shop.handlers.card_tokens import card_routes
from bookshelf.shop.handlers.placing import PLACING_ROUTE
from bookshelf.shop.handlers.products import product_routes
from bookshelf.shop.invoice import INVOICE
from bookshelf.shop.invoice_queries import invoice_routes
from bookshelf.shop.invoices import invoices_view
from bookshelf.shop.invoicing import Seller, invoicing
from bookshelf.shop.manager_routes import CREDIT_COMMANDS, ORDER_COMMANDS, STOCK_COMMANDS
from bookshelf.shop.order import ORDER
from bookshelf.shop.order_queries import ORDER_ROUTES
from bookshelf.shop.ordering import ORDERING
from bookshelf.shop.payment import PAYMENT
from bookshelf.shop.product import PRODUCT
from bookshelf.shop.sandbox import sandbox
from bookshelf.shop.series import SERIES
from bookshelf.shop.stock import STOCK
from bookshelf.shop.welcome import welcoming

Part = Aggregate[Any] | View | Process | Connector
_PRODUCTS = (PRODUCT, CATEGORY, STOCK, catalogue.VIEW)


_ORDER_ROUTES = (*ORDER_ROUTES, *ORDER_COMMANDS, PLACING_ROUTE)


def shop_services(
    seller: Seller, currency: str = "EUR", provider: FindProvider = sandbox
) -> tuple[Service, ...]:
    """Return the services of a shop with this seller, currency and card provider."""
    invoices = invoices_view(seller.zone)
    selling: tuple[Route, ...] = (*CATALOGUE_ROUTES, *STOCK_COMMANDS, *product_routes(currency))
    credit = (CREDIT, welcoming(currency), customers.VIEW)
    accounting = (SERIES, INVOICE, invoicing(seller), invoices)
    return (
        _service("products", 8091, "Products, categories and stock", _PRODUCTS, selling),
        _service("customers", 8092, "The credit of customers", credit, (*CUSTOMER_ROUTES, *CREDIT_COMMANDS)),
        _service("orders", 8093, "Carts and orders", (CART, ORDER, ORDERING, orders.VIEW), _ORDER_ROUTES),
        _service("payments", 8094, "Payments by card", (PAYMENT, cards(provider)), card_routes(provider)),
        _service("accounting", 8095, "Invoices and revenue", accounting, invoice_routes(invoices)),
    )


def _service(
    name: str, port: int, summary: str, runs: tuple[Part, ...], serves: tuple[Route, ...]
) -> Service:
    return Service(name=name, summary=summary, tags=("shop", name), port=port, runs=runs, serves=serves)
