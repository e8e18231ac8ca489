"""The console: its pages, its bar, its notices."""

from bookshelf.cluster.pages import nodes, overview, rollouts, sessions
from bookshelf.cluster.pages.models import LOCKS, ROLLOUTS, ROOT, SESSIONS
from bookshelf.site.frame_pages import SAVED, preference_pages
from bookshelf.site.page import Link, SiteParts, _
from bookshelf.site.routes import Site

SITE = Site(
    SiteParts(
        name="Bookshelf",
        package="bookshelf.cluster.pages",
        pages=(
            *overview.PAGES,
            *rollouts.PAGES,
            *nodes.PAGES,
            *sessions.PAGES,
            *preference_pages(ROOT),
        ),
        root=ROOT,
        home=ROOT,
        links=(
            Link(ROOT, _("Overview"), "layers", "g o"),
            Link(ROLLOUTS, _("Rollouts"), "history", "g r"),
            Link(SESSIONS, _("Sessions"), "users", "g s"),
            Link(LOCKS, _("Locks"), "bookmark", "g l"),
        ),
        notices={**rollouts.NOTICES, **sessions.NOTICES, **SAVED},
        footer=(
            Link("/", _("Your shelf"), site="/"),
            Link(f"{ROOT}/settings", _("Settings")),
            Link(f"{ROOT}/help/keys", _("Keys"), keys="?", dialog=True),
        ),
    )
)
