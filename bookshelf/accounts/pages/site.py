"""The site of accounts: its pages and its notices."""

from bookshelf.accounts.pages import account, devices, profile, signing_in
from bookshelf.site.page import ACCOUNT, Link, SiteParts, _
from bookshelf.site.routes import Site

PAGES = (*account.PAGES, *signing_in.PAGES, *devices.PAGES, *profile.PAGES)

SITE = Site(
    SiteParts(
        name="Bookshelf",
        package="bookshelf.accounts.pages",
        pages=PAGES,
        root=ACCOUNT,
        links=(
            Link("/", _("Home"), "house"),
            Link("/books", _("Shelf"), "library", "g s"),
        ),
        notices={**signing_in.NOTICES, **devices.NOTICES, **profile.NOTICES},
        footer=(
            Link("/settings", _("Settings")),
            Link("/help/keys", _("Keys"), keys="?", dialog=True),
        ),
    )
)
