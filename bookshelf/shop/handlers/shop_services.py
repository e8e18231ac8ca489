"""The services of the bookshop with their routes, for the settings of a shop."""

from dataclasses import replace

from bookshelf.cqrs.route import Route
from bookshelf.cqrs.service import Service
from bookshelf.cqrs.view import View
from bookshelf.shop.cards import FindProvider
from bookshelf.shop.carts import CART_QUERIES
from bookshelf.shop.catalogue_queries import CATALOGUE_ROUTES, currency_route
from bookshelf.shop.customers import customer_routes
from bookshelf.shop.handlers.card_tokens import card_routes
from bookshelf.shop.handlers.cart_lines import CART_COMMANDS
from bookshelf.shop.handlers.invoice_page import InvoicePages
from bookshelf.shop.handlers.placing import placing_route
from bookshelf.shop.handlers.products import product_routes
from bookshelf.shop.invoice_queries import invoice_routes
from bookshelf.shop.invoicing import Seller
from bookshelf.shop.manager_routes import STOCK_COMMANDS, credit_commands, order_commands
from bookshelf.shop.order_lists import order_queries
from bookshelf.shop.parts import Part, shop_parts
from bookshelf.shop.sandbox import sandbox
from bookshelf.shop.welcome import LOCAL_READER


def with_shop(
    service: Service,
    seller: Seller,
    currency: str = "EUR",
    provider: FindProvider = sandbox,
    invoice_years: int = 10,
    local_reader: str = LOCAL_READER,
) -> Service:
    """Return a service of the shop with its parts and routes, for this seller, currency and card provider.

    `invoice_years`: how long the addresses of invoices are kept. `local_reader`: the account of the local
    reader.
    """
    runs = shop_parts(seller, currency, provider, local_reader)[service.name]
    match service.name:
        case "products":
            catalogue: tuple[Route, ...] = (*CATALOGUE_ROUTES, currency_route(currency))
            return _made(service, runs, (*catalogue, *STOCK_COMMANDS, *product_routes(currency)))
        case "customers":
            named = (currency, local_reader)
            return _made(service, runs, (*customer_routes(*named), *credit_commands(*named)))
        case "orders":
            carts: tuple[Route, ...] = (*CART_QUERIES, *CART_COMMANDS)
            placing = placing_route(invoice_years, currency, local_reader)
            orders = (*order_queries(seller.zone, local_reader), *order_commands(local_reader), placing)
            return _made(service, runs, (*carts, *orders))
        case "payments":
            return _made(service, runs, card_routes(provider))
    [invoices] = (part for part in runs if isinstance(part, View))
    return _made(service, runs, invoice_routes(invoices, InvoicePages(seller.zone).page, local_reader))


def _made(service: Service, runs: tuple[Part, ...], serves: tuple[Route, ...]) -> Service:
    return replace(service, load=None, runs=runs, serves=serves)
