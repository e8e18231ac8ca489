"""The shop for its managers: its pages, its bar, its notices."""

from bookshelf.shop.pages.managing import (
    categories,
    customers,
    order,
    orders,
    people,
    product_forms,
    products,
    revenue,
    today,
    units,
)
from bookshelf.shop.pages.managing.form_parts import ROOT
from bookshelf.site.frame_pages import SAVED, preference_pages
from bookshelf.site.page import Link, SiteParts, _
from bookshelf.site.routes import Site

PAGES = (
    *today.PAGES,
    *categories.PAGES,
    *products.PAGES,
    *product_forms.PAGES,
    *units.PAGES,
    *customers.PAGES,
    *orders.PAGES,
    *order.PAGES,
    *revenue.PAGES,
    *people.PAGES,
    *preference_pages(ROOT),
)

SITE = Site(
    SiteParts(
        name="Bookshelf",
        package="bookshelf.shop.pages.managing",
        shares=("bookshelf.shop.pages.shared", "bookshelf.covers"),
        pages=PAGES,
        root=ROOT,
        home=ROOT,
        links=(
            Link(ROOT, _("Today"), "calendar", "g t"),
            Link(orders.ORDERS, _("Orders"), "package", "g o"),
            Link(products.PRODUCTS, _("Products"), "library", "g p"),
            Link(customers.CUSTOMERS, _("Customers"), "users", "g c"),
            Link(revenue.REVENUE, _("Revenue"), "chart-no-axes-column", "g r"),
        ),
        notices={
            **categories.NOTICES,
            **product_forms.NOTICES,
            **units.NOTICES,
            **customers.NOTICES,
            **order.NOTICES,
            **people.NOTICES,
            **SAVED,
        },
        footer=(
            Link(categories.CATEGORIES, _("Categories")),
            Link(revenue.INVOICES, _("Invoices")),
            Link(people.PEOPLE, _("People"), requires=people.ADMIN),
            Link("/shop", _("The shop"), site="/shop"),
            Link(f"{ROOT}/settings", _("Settings")),
            Link(f"{ROOT}/help/keys", _("Keys"), keys="?", dialog=True),
        ),
    )
)
