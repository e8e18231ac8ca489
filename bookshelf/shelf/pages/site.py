"""The reader's site: its pages, its bars, its preferences, and the names of what changes."""

from collections.abc import Mapping
from typing import Any

from bookshelf.shelf.pages import (
    add,
    book,
    book_lists,
    books,
    changes,
    cover_files,
    edit,
    export,
    home,
    import_lines,
    import_routes,
    job_page,
    lists,
    merge,
    names,
    opinions,
    passages,
    readings,
    removed,
    selection,
    stats,
)
from bookshelf.shelf.pages.jobs import JOBS
from bookshelf.shelf.pages.shelf_filters import CHOICES
from bookshelf.site.frame_pages import FRAME_PAGES, SAVED
from bookshelf.site.page import Link, SearchField, SiteParts, _
from bookshelf.site.routes import Site


def live_names(event: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of what a new event of the shelf has changed."""
    subject, kind = str(event["subject"]), str(event["type"])
    if kind.startswith("shelf.list-"):
        return (f"list:{subject}", "lists")
    return (f"book:{subject}", "readings")


PAGES = (
    *home.PAGES,
    *books.PAGES,
    *add.PAGES,
    *removed.PAGES,
    *book.PAGES,
    *edit.PAGES,
    *book_lists.PAGES,
    *cover_files.PAGES,
    *readings.PAGES,
    *opinions.PAGES,
    *changes.PAGES,
    *stats.PAGES,
    *lists.PAGES,
    *names.PAGES,
    *merge.PAGES,
    *passages.PAGES,
    *import_routes.PAGES,
    *job_page.PAGES,
    *export.PAGES,
    *FRAME_PAGES,
)
NOTICES = {
    **SAVED,
    **edit.NOTICES,
    **book_lists.NOTICES,
    **cover_files.NOTICES,
    **readings.NOTICES,
    **opinions.NOTICES,
    **changes.NOTICES,
    **stats.NOTICES,
    **home.NOTICES,
    **add.NOTICES,
    **selection.NOTICES,
    **lists.NOTICES,
    **names.NOTICES,
    **merge.NOTICES,
    **import_lines.NOTICES,
}

SITE = Site(
    SiteParts(
        name="Bookshelf",
        package="bookshelf.shelf.pages",
        shares=("bookshelf.covers",),
        pages=PAGES,
        links=(
            Link("/", _("Home"), "house"),
            Link("/books", _("Shelf"), "library", "g s"),
            Link("/lists", _("Lists"), "list-ordered", "g l"),
            Link("/stats", _("Stats"), "chart-no-axes-column", "g t"),
        ),
        action=Link("/books/add", _("Add"), "plus"),
        search=SearchField("/books", "q", _("Search your books")),
        notices=NOTICES,
        jobs=JOBS,
        erases=(cover_files.erase_covers,),
        choices=CHOICES,
        settings=(
            Link("/goal", _("The goal of this year")),
            Link("/import", _("Bring your books")),
            Link("/export", _("Take your books with you")),
            Link("/changes", _("Changes")),
        ),
        footer=(
            Link("/changes", _("Changes"), keys="g c"),
            Link("/import", _("Import")),
            Link("/export", _("Export")),
            Link("/shop", _("Bookshop"), keys="g b", site="/shop"),
            Link("/gallery", _("Gallery"), keys="g p", site="/gallery"),
            Link("/settings", _("Settings")),
            Link("/help/keys", _("Keys"), keys="?", dialog=True),
            Link("/apidocs/", _("API")),
        ),
        keys=(
            ("g s", _("shelf")),
            ("g l", _("lists")),
            ("g c", _("changes")),
            ("g t", _("stats")),
            ("s", _("start a book, or go on with it")),
            ("p", _("how far you are")),
            ("f", _("finished")),
            ("r 4", _("four stars: r, then 1 to 5")),
            ("r 4 .", _("four and a half stars")),
            ("e", _("edit")),
            ("t", _("tags")),
            ("l", _("the lists of a book")),
            ("v", _("next view: covers, list, spines")),
            ("[", _("the one before")),
            ("]", _("the one after")),
        ),
        drop="/import",
        undo="/changes",
        changes="/changes/events",
        live_names=live_names,
    )
)
