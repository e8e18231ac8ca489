"""The page that changes the fields of a book: people, series and tags are lines of text."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from zlib import crc32

import msgspec

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.shelf import field_types as kinds
from bookshelf.shelf.limits import DESCRIPTION_MAX, NOTES_MAX
from bookshelf.shelf.pages.change_report import typed_tags
from bookshelf.shelf.pages.field_labels import FIELD_LABELS, FORMATS, ROLES
from bookshelf.shelf.pages.step import book_address, check_length, step_done, step_model
from bookshelf.shelf.pages.typed_day import TypedDay
from bookshelf.site.api_adapters import FieldFault
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES: Mapping[str, str] = {"edited": _("Saved the book.")}
_ROLE = re.compile(r"(.+?)\s*\(([^()]+)\)")
_NUMBERED = re.compile(r"(.+?)\s*#\s*(\S.*)")
_LISTED = 200


class EditForm(Form):
    """The fields of a book as texts: a line for each contributor and each series, commas between tags.

    `another_person`, `another_series` and `another_tag` are one more of each, completed from the shelf's.
    `was` has a digest of each field as it was when the form was shown.
    """

    title: kinds.Title
    subtitle: kinds.Subtitle | None = None
    contributors: str = ""
    series: str = ""
    tags: str = ""
    another_person: str = ""
    another_series: str = ""
    another_tag: str = ""
    published: kinds.Published | None = None
    first_published: kinds.Published | None = None
    publisher: kinds.Publisher | None = None
    isbn: kinds.Isbn | None = None
    pages: kinds.Pages | None = None
    minutes: kinds.Minutes | None = None
    format: kinds.Format | None = None
    language: kinds.Language | None = None
    description: str = ""
    notes: str = ""
    copies: kinds.Copies | None = None
    location: kinds.Location | None = None
    lent_to: kinds.Borrower | None = None
    lent_on: TypedDay | None = None
    sort_title: kinds.SortTitle | None = None
    work: kinds.Work | None = None
    was: str = ""


class EditModel(Model):
    """A book to change; `languages`, `tags`, `authors`, `series` are the shelf's, to complete from."""

    book: Mapping[str, Any]
    cover: GeneratedCover
    address: str
    labels: Mapping[str, str]
    formats: Mapping[str, str]
    languages: tuple[str, ...]
    tags: tuple[str, ...]
    authors: tuple[str, ...]
    series: tuple[str, ...]


#: The fields of the form that are parts of others.
_LINES = {"contributors", "series", "tags", "another_person", "another_series", "another_tag", "was"}
#: The fields of the form that are those of the API as they are.
_SAME = tuple(name for name in EditForm.__struct_fields__ if name not in _LINES)


async def show_edit(request: PageRequest) -> Page:
    """Show the fields of a book."""
    answer = await request.api.get(book_address(request))
    facets = await request.api.try_get("/books/facets")
    form = edit_form(answer.body, request)
    model = _model(answer.body, {} if facets is None else facets.body)
    return Page("edit.html", model, form=form, version=answer.version)


def _model(book: Mapping[str, Any], facets: Mapping[str, Any]) -> EditModel:
    step = step_model(book)
    values = {
        name: tuple(one["value"] for one in facets.get(name, ())[:_LISTED])
        for name in ("language", "tag", "author", "series")
    }
    return EditModel(
        book=book,
        cover=step.cover,
        address=f"/books/{book['id']}",
        labels=FIELD_LABELS,
        formats=FORMATS,
        languages=values["language"],
        tags=values["tag"],
        authors=values["author"],
        series=values["series"],
    )


def edit_form(book: Mapping[str, Any], request: PageRequest) -> EditForm:
    """Return the form with the fields of a book as the API answers it."""
    people = book.get("contributors") or ([{"name": book["author"]}] if book.get("author") else [])
    fields = {name: book[name] for name in _SAME if book.get(name) is not None}
    form = EditForm(
        **fields,
        contributors="\n".join(_person_line(person, request) for person in people),
        series="\n".join(_series_line(entry) for entry in book.get("series") or ()),
        tags=", ".join(book.get("tags") or ()),
    )
    return msgspec.structs.replace(form, was=" ".join(_digests(form).values()))


def _digests(form: EditForm) -> dict[str, str]:
    """Return a digest of each field by name, which has the name in it."""
    values = {name: getattr(form, name) for name in form.__struct_fields__ if name != "was"}
    texts = {name: "" if value is None else str(value) for name, value in values.items()}
    return {name: f"{name}:{crc32(text.encode()):x}" for name, text in texts.items()}


def changed_fields(form: EditForm, stored: EditForm) -> tuple[set[str], bool]:
    """Return the fields that the reader has changed, and True if one of them was changed meanwhile, too."""
    was, typed, now = set(form.was.split()), _digests(form), _digests(stored)
    mine = {name for name, digest in typed.items() if digest not in was and digest != now[name]}
    return mine, not was or any(now[name] not in was for name in mine)


def _person_line(person: Mapping[str, Any], request: PageRequest) -> str:
    role = person.get("role", "author")
    return str(person["name"]) if role == "author" else f"{person['name']} ({_role_text(role, request)})"


def _role_text(role: str, request: PageRequest) -> str:
    return request.translate(ROLES[role]) if role in ROLES else role


def _series_line(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']} #{entry['number']}" if entry.get("number") else str(entry["name"])


async def edit(request: PageRequest, form: EditForm) -> Redirect:
    """Change the fields that the reader has changed. Raises `FormRefused`, `ApiProblem`.

    Fields that were changed meanwhile stay so; a field that was changed twice is a conflict.
    """
    check_length(request, "description", form.description, DESCRIPTION_MAX)
    check_length(request, "notes", form.notes, NOTES_MAX)
    address = book_address(request)
    answer = await request.api.get(address)
    book, body = answer.body, {}
    stored = edit_form(book, request)
    changed, conflict = changed_fields(form, stored)

    def kept(name: str) -> str:
        return str(getattr(form if name in changed else stored, name))

    for name in _SAME:
        if name in changed:
            body[name] = getattr(form, name) or (None if name != "copies" else form.copies)
    if changed & {"contributors", "another_person"}:
        people = f"{kept('contributors')}\n{form.another_person}"
        body["contributors"] = list(_people(people, book, request))
        if not body["contributors"]:
            raise FormRefused(FieldFault("contributors", request.translate(_("Write at least one name."))))
    if changed & {"series", "another_series"}:
        body["series"] = [_series_of(line) for line in _lines(f"{kept('series')}\n{form.another_series}")]
    if changed & {"tags", "another_tag"}:
        body["tags"] = typed_tags(f"{kept('tags')},{form.another_tag}")
    done = await request.api.patch(address, body, version=request.version if conflict else answer.version)
    return step_done(request, "edited", done)


def _people(text: str, book: Mapping[str, Any], request: PageRequest) -> Iterator[dict[str, Any]]:
    """Yield the contributors of the lines of a text; those that the book has keep the name to sort by."""
    roles = {_role_text(role, request).casefold(): role for role in ROLES}
    known = {(one["name"], one.get("role", "author")): one for one in book.get("contributors") or ()}
    for line in _lines(text):
        found = _ROLE.fullmatch(line)
        name, role = (found[1], found[2].casefold()) if found else (line, "author")
        role = roles.get(role, role)
        yield dict(known.get((name, role), {"name": name, "role": role}))


def _series_of(line: str) -> dict[str, str]:
    found = _NUMBERED.fullmatch(line)
    return {"name": found[1], "number": found[2].strip()} if found else {"name": line}


def _lines(text: str) -> Sequence[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _examples() -> Mapping[str, Page]:
    book: Mapping[str, Any] = {
        "id": "left-hand",
        "title": "The Left Hand of Darkness",
        "author": "Ursula K. Le Guin",
        "published": "1969",
    }
    facets = {
        "author": [{"value": "Ursula K. Le Guin"}],
        "series": [{"value": "Hainish Cycle"}],
        "tag": [{"value": "science fiction"}],
        "language": [{"value": "en"}],
    }
    usual = EditForm(
        title="The Left Hand of Darkness",
        contributors="Ursula K. Le Guin",
        series="Hainish Cycle #4",
        tags="science fiction, winter",
        published="1969",
        pages=304,
        language="en",
    )
    long = EditForm(title="The Life and Adventures of " * 30, notes="word " * 2000, tags="a tag, " * 200)
    return {
        "usual": Page("edit.html", _model(book, facets), form=usual, version='"1"'),
        "long": Page("edit.html", _model({**book, "title": long.title}, facets), form=long, version='"1"'),
        "failed": Page("edit.html", _model(book, {}), form=usual, version='"1"'),
    }


PAGES = (
    PageRoute(
        "/books/{id}/edit",
        get=show_edit,
        post=edit,
        form=EditForm,
        title=_("Edit"),
        examples=_examples,
        section="/books",
    ),
)
