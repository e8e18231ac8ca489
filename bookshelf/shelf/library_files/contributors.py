"""Reads the people of a book: names with roles, and names to sort by."""

import re
from collections.abc import Iterator

import msgspec

from bookshelf.cqrs.phrases import Phrase, phrase
from bookshelf.shelf.library_files.format import Fields, Format
from bookshelf.shelf.library_files.match import name_words
from bookshelf.shelf.library_files.text import cut, fold_letters, one_line
from bookshelf.shelf.limits import CONTRIBUTORS_MAX, NAME_MAX, ROLE_MAX
from bookshelf.shelf.values import Contributor

_COLUMNS = ("editor", "translator", "illustrator", "narrator")
_ROLE = re.compile(r"(.+?)\s*\(([^()]+)\)$")
_ROLES = {
    "author": "author",
    "writer": "author",
    "editor": "editor",
    "ed": "editor",
    "translator": "translator",
    "trans": "translator",
    "illustrator": "illustrator",
    "artist": "illustrator",
    "narrator": "narrator",
    "reader": "narrator",
    "foreword": "foreword",
    "introduction": "foreword",
}


def first_last(name: str) -> Contributor:
    """Return the author "Last, First" as "First Last", to be sorted by what was given."""
    last, comma, first = (part.strip() for part in name.partition(","))
    if not comma or not first or "," in first:
        return Contributor(name.strip())
    return Contributor(f"{first} {last}", sort=f"{last}, {first}")


def with_role(name: str, role: str = "author") -> Contributor:
    """Return the person of "Simon Vance (Narrator)"; without brackets, one with the role given."""
    if found := _ROLE.fullmatch(name.strip()):
        return Contributor(found[1].strip(), role_of(found[2]))
    return Contributor(name.strip(), role)


def role_of(word: str) -> str:
    """Return the shelf's name for a role, else the word in lower case."""
    folded = fold_letters(word.strip().rstrip("."))
    return _ROLES.get(folded, folded)


def read_contributors(fields: Fields, form: Format, warnings: list[Phrase]) -> tuple[Contributor, ...]:
    """Return the contributors of a record, each once for a role; a warning names what is beyond the limits.

    A single name is returned in any length: the record is refused for it.
    """
    chosen: dict[tuple[str, str], Contributor] = {}
    for person in _named(fields, form):
        if name := one_line(person.name, exact=False):
            role = cut(phrase("role of {name}", name=name), person.role, ROLE_MAX, warnings)
            known = msgspec.structs.replace(person, name=name, role=role)
            chosen.setdefault((name.casefold(), role), known)
    people = list(chosen.values())
    for cell in fields.get("author sort", ())[:1]:
        sort = one_line(cell.text, exact=False)
        if not people:
            people = [first_last(sort)]
        elif not people[0].sort and "," in sort:
            people[0] = msgspec.structs.replace(people[0], sort=sort)
    if len(people) == 1:
        return tuple(people)
    short = [person for person in people if max(len(person.name), len(person.sort or "")) <= NAME_MAX]
    kept = short[:CONTRIBUTORS_MAX]
    if rest := [person.name for person in people if person not in kept]:
        left_out = phrase("{count} contributors left out: {names}", count=len(rest), names=tuple(rest))
        warnings.append(left_out)
    return tuple(kept)


def _named(fields: Fields, form: Format) -> Iterator[Contributor]:
    as_author = first_last if form.last_first else Contributor
    for cell in fields.get("author", ())[:1]:
        yield from (as_author(name.strip()) for name in form.split_names(cell.text))
    for cell in fields.get("more authors", ()):
        yield from (Contributor(name.strip()) for name in cell.text.split(","))
    for cell in fields.get("people", ()):
        yield msgspec.structs.replace(as_author(cell.text.strip()), role=role_of(cell.column))
    for role in _COLUMNS:
        for cell in fields.get(role, ()):
            yield from (with_role(name, role) for name in form.split_names(cell.text))
    for cell in fields.get("contributors", ()):
        yield from (with_role(name, "contributor") for name in cell.text.split(","))


def merge_people(shelf: tuple[Contributor, ...], file: tuple[Contributor, ...]) -> tuple[Contributor, ...]:
    """Return the people of the shelf with the sort names that the file knows, and the file's others."""
    known = {(name_words(person.name), person.role): person for person in file}
    merged = [
        msgspec.structs.replace(person, sort=person.sort or other.sort)
        if (other := known.pop((name_words(person.name), person.role), None))
        else person
        for person in shelf
    ]
    return (*merged, *known.values())[:CONTRIBUTORS_MAX]
