"""The site of accounts: its pages and its notices."""

from bookshelf.accounts.pages import account, devices, profile, signing_in
from bookshelf.site.frame_pages import SAVED, preference_pages
from bookshelf.site.page import ACCOUNT, Link, SiteParts, _
from bookshelf.site.routes import Site

PAGES = (*account.PAGES, *signing_in.PAGES, *devices.PAGES, *profile.PAGES, *preference_pages(ACCOUNT))

SITE = Site(
    SiteParts(
        name="Bookshelf",
        package="bookshelf.accounts.pages",
        pages=PAGES,
        root=ACCOUNT,
        home="/",
        links=(
            Link("/", _("Home"), "house", site="/"),
            Link("/books", _("Shelf"), "library", "g s", site="/"),
            Link("/shop", _("Bookshop"), "store", "g b", site="/shop"),
            Link("/gallery", _("Gallery"), "camera", "g p", site="/gallery"),
        ),
        notices={**signing_in.NOTICES, **devices.NOTICES, **profile.NOTICES, **SAVED},
        footer=(
            Link(f"{ACCOUNT}/settings", _("Settings")),
            Link(f"{ACCOUNT}/help/keys", _("Keys"), keys="?", dialog=True),
        ),
    )
)
