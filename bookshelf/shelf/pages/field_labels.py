"""The names of a book's fields, as forms and histories show them."""

from collections.abc import Mapping

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.site.page import _

FIELD_LABELS: Mapping[str, str] = {
    "title": _("Title"),
    "subtitle": _("Subtitle"),
    "author": _("Author"),
    "contributors": _("Authors and others"),
    "series": _("Series"),
    "tags": _("Tags"),
    "published": _("Published"),
    "first_published": _("First published"),
    "publisher": _("Publisher"),
    "isbn": _("ISBN"),
    "pages": _("Pages"),
    "minutes": _("Length in minutes"),
    "format": _("Format"),
    "language": _("Language"),
    "description": _("Description"),
    "notes": _("Notes"),
    "copies": _("Copies"),
    "location": _("Where it stands"),
    "lent_to": _("Lent to"),
    "lent_on": _("Lent on"),
    "sort_title": _("Title to sort by"),
    "work": _("Work (shared by its editions)"),
    "ids": _("Numbers elsewhere"),
    "extra": _("From other programs"),
}
#: The words for roles and formats that the shelf knows.
ROLES: Mapping[str, str] = {
    "author": _("author"),
    "editor": _("editor"),
    "translator": _("translator"),
    "illustrator": _("illustrator"),
    "narrator": _("narrator"),
    "foreword": _("foreword"),
}
FORMATS: Mapping[str, str] = {
    "hardcover": _("Hardcover"),
    "paperback": _("Paperback"),
    "ebook": _("E-book"),
    "audiobook": _("Audiobook"),
}

#: The names of programs and catalogues by the schemes of a book's ids.
PROGRAMS: Mapping[str, str] = {
    "asin": "Amazon",
    "aasin": "Amazon",
    "amazon": "Amazon",
    "bnf": "BnF",
    "bookcatalogue": "Book Catalogue",
    "bookwyrm": "BookWyrm",
    "calibre": "Calibre",
    "finna": "Finna",
    "goodreads": "Goodreads",
    "google": "Google Books",
    "gutenberg": "Project Gutenberg",
    "hardcover": "Hardcover",
    "inventaire": "Inventaire",
    "isfdb": "ISFDB",
    "librarything": "LibraryThing",
    "oclc": "WorldCat",
    "openlibrary": "Open Library",
    "storygraph": "StoryGraph",
    "viaf": "VIAF",
    "wikidata": "Wikidata",
}

#: What an import compares beside the fields of a book: of its readings, of lists and of goals.
_COMPARED: Mapping[str, str] = {
    **FIELD_LABELS,
    "stars": _("Stars"),
    "review": _("Review"),
    "cover": _("Cover"),
    "end": _("How it ended"),
    "started": _("Started"),
    "ended": _("Ended"),
    "progress": _("Progress"),
    "paused": _("Paused"),
    "name": _("Name"),
    "books": _("Books"),
}


def difference_label(field: str) -> Phrase | str:
    """Return the name of what an import has compared, like "title", "ids.goodreads" or "reading 2: ended"."""
    reading, _colon, of_reading = field.partition(": ")
    if of_reading:
        of_reading = _COMPARED.get(of_reading, of_reading)
        number = reading.removeprefix("reading ")
        return phrase("Reading {number}: {field}", number=number, field=Phrase(of_reading))
    of_map, _dot, key = field.partition(".")
    if key:
        name = PROGRAMS.get(key, key)
        return phrase("{field}: {name}", field=Phrase(_COMPARED.get(of_map, of_map)), name=name)
    return _COMPARED.get(field, field)
