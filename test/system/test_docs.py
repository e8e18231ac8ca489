"""docs/ and the program agree, in both directions."""

import re
from pathlib import Path

import pytest
from msgspec.structs import fields
from support.process import ROOT, bookshelf

from bookshelf.config import RELOADABLE, SECRETS, STRUCTS, fields_by_setting
from bookshelf.http.problem import STATUS
from bookshelf.shelf.events import EVENTS

DOCS = ROOT / "docs"
_ROW = re.compile(r"^\| `([^`]+)` \|(.*)\|$", re.MULTILINE)


def rows(name: str) -> dict[str, list[str]]:
    """Return the rows of a page's table by the name in their first cell."""
    text = (DOCS / name).read_text(encoding="utf-8")
    return {key: [cell.strip() for cell in rest.split("|")] for key, rest in _ROW.findall(text)}


SETTINGS = {
    name: field
    for kind in STRUCTS
    for field in fields(kind)
    for name, own in fields_by_setting(kind).items()
    if own == field.name
}
#: The unit of a setting by the end of its name, and the word for it in the setting's meaning.
UNITS = {"_s": "seconds", "_h": "hours"}


def test_every_setting_is_documented_and_no_other() -> None:
    assert rows("settings.md").keys() == SETTINGS.keys()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_s_default_and_unit_are_the_documented_ones(name: str) -> None:
    default, meaning = rows("settings.md")[name][:2]
    value = SETTINGS[name].default
    if value != "":
        assert default.startswith(f"`{value}`")
    else:
        assert not default.startswith("`") or name == "data"
    assert meaning
    assert all(word in meaning for end, word in UNITS.items() if name.endswith(end))


def test_exactly_the_reloadable_settings_are_marked_so() -> None:
    marked = {name for name, cells in rows("settings.md").items() if "[reloadable]" in cells[1]}
    assert marked == RELOADABLE
    assert not RELOADABLE & SECRETS


def test_every_problem_is_documented_with_its_status_and_no_other() -> None:
    said = {kind: int(cells[0]) for kind, cells in rows("problems.md").items()}
    assert said == {kind: status.value for kind, status in STATUS.items()}


def test_every_problem_has_advice() -> None:
    assert all(len(cells) == 3 and all(cells) for cells in rows("problems.md").values())


def test_every_event_is_documented_and_no_other() -> None:
    page = DOCS / "events.md"
    if not page.exists():
        pytest.skip("docs/events.md is not written yet")
    said = set(re.findall(r"`([a-z]+\.[a-z-]+\.v\d+)`", page.read_text(encoding="utf-8")))
    assert {event.TYPE for event in EVENTS} <= said


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert "://" in link or (page.parent / link).exists(), link


def test_commands_in_the_docs_exist() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.rglob("*.md"))
    named = set(re.findall(r"`bookshelf ([a-z-]+)", text))
    said = bookshelf("--help").well
    assert named
    assert [name for name in named if f"  {name} " not in said] == []
