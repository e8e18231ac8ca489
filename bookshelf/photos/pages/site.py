"""The gallery: its pages, its bar, its notices."""

from bookshelf.photos.comment import COMMENT_LENGTH
from bookshelf.photos.pages import changing, lists, mine, one_photo, people, profile, uploading
from bookshelf.site.frame_pages import SAVED, preference_pages
from bookshelf.site.page import Link, SiteParts, _
from bookshelf.site.routes import Site

#: Where the preferences are: /gallery/settings is about the person.
_PREFERENCES = "/preferences"


def gallery_site(zone: str = "UTC", comment_most: int = COMMENT_LENGTH, file_bytes: int = 20 << 20) -> Site:
    """Return the gallery.

    `zone` is where the days of hot begin; the limits are the characters of a comment and the bytes of a file.
    """
    return Site(
        SiteParts(
            name="Bookshelf",
            package="bookshelf.photos.pages",
            pages=(
                *lists.list_pages(zone),
                *one_photo.photo_pages(comment_most),
                *changing.PAGES,
                *uploading.upload_pages(file_bytes),
                *people.PAGES,
                *mine.PAGES,
                *profile.PAGES,
                *preference_pages(lists.ROOT, preferences=_PREFERENCES),
            ),
            root=lists.ROOT,
            home=lists.ROOT,
            preferences=_PREFERENCES,
            values={"comment_most": comment_most},
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
