"""The shop for customers: its pages, its bar, its notices."""

from bookshelf.shop.pages.customer import (
    browse,
    cart,
    checkout,
    checkout_payment,
    checkout_summary,
    front,
    orders,
    product,
)
from bookshelf.shop.values import MANAGE
from bookshelf.site.frame_pages import SAVED, preference_pages
from bookshelf.site.page import Link, SiteParts, _
from bookshelf.site.routes import Site

PAGES = (
    *front.PAGES,
    *browse.PAGES,
    *product.PAGES,
    *cart.PAGES,
    *checkout.PAGES,
    *checkout_payment.PAGES,
    *checkout_summary.PAGES,
    *orders.PAGES,
    *preference_pages(front.ROOT),
)

SITE = Site(
    SiteParts(
        name="Bookshelf",
        package="bookshelf.shop.pages.customer",
        shares=("bookshelf.shop.pages.shared", "bookshelf.covers"),
        pages=PAGES,
        root=front.ROOT,
        home=front.ROOT,
        links=(
            Link(front.ROOT, _("Shop"), "store", "g s"),
            Link(browse.SEARCH, _("Books"), "library", "g b"),
            Link(orders.ORDERS, _("Orders"), "package", "g o"),
            Link(cart.CART, _("Cart"), "shopping-bag", "g c"),
        ),
        counts=cart.count_cart,
        notices={**cart.NOTICES, **checkout.NOTICES, **orders.NOTICES, **SAVED},
        follows=orders.stream_of,
        footer=(
            Link("/", _("Your shelf"), site="/"),
            Link("/manage", _("Manage the shop"), requires=MANAGE, site="/manage"),
            Link(f"{front.ROOT}/settings", _("Settings")),
            Link(f"{front.ROOT}/help/keys", _("Keys"), keys="?", dialog=True),
        ),
    )
)
