"""The gallery: its pages, its bar, its notices."""

from bookshelf.photos.pages import changing, lists, mine, one_photo, people, profile, uploading
from bookshelf.site.frame_pages import SAVED, preference_pages
from bookshelf.site.page import Link, SiteParts, _
from bookshelf.site.routes import Site

#: Where the preferences are: /gallery/settings is about the person.
_PREFERENCES = "/preferences"


def gallery_site(zone: str = "UTC") -> Site:
    """Return the gallery; `zone` is where the days of hot begin."""
    return Site(
        SiteParts(
            name="Bookshelf",
            package="bookshelf.photos.pages",
            pages=(
                *lists.list_pages(zone),
                *one_photo.PAGES,
                *changing.PAGES,
                *uploading.PAGES,
                *people.PAGES,
                *mine.PAGES,
                *profile.PAGES,
                *preference_pages(lists.ROOT, preferences=_PREFERENCES),
            ),
            root=lists.ROOT,
            home=lists.ROOT,
            preferences=_PREFERENCES,
            links=(
                Link(lists.ROOT, _("Fresh"), "clock", "g f"),
                Link(lists.HOT, _("Hot"), "flame", "g o"),
                Link(lists.TRENDING, _("Trending"), "trending-up", "g t"),
            ),
            action=Link(uploading.UPLOAD, _("Upload"), "upload"),
            drop=uploading.UPLOAD,
            notices={
                **one_photo.NOTICES,
                **changing.NOTICES,
                **uploading.NOTICES,
                **profile.NOTICES,
                **SAVED,
            },
            footer=(
                Link("/", _("Your shelf"), site="/"),
                Link(f"{lists.ROOT}{_PREFERENCES}", _("Settings")),
                Link(f"{lists.ROOT}/help/keys", _("Keys"), keys="?", dialog=True),
            ),
        )
    )


SITE = gallery_site()
