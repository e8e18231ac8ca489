"""One name for one thing: the words of docs/glossary.md, and none of the former private vocabulary."""

from pathlib import Path

import pytest
from architecture.source import ROOT, Module, modules
from architecture.vocabulary import (
    KEBAB_CASE,
    banned_words,
    classes_declared_twice,
    log_events,
    prose_of_tests,
    terms,
)

_PAGE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
_GLOSSARY = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ours() -> list[Module]:
    return modules(ROOT)


def test_no_module_has_a_banned_word(ours: list[Module]) -> None:
    assert banned_words(ours) == {}, "docs/glossary.md has the words to use instead"


def test_names_docstrings_and_comments_of_tests_have_no_banned_word() -> None:
    found = banned_words(modules(ROOT, ("test",)), prose_of_tests)
    assert found == {}, "docs/glossary.md has the words to use instead"


def test_a_class_name_is_declared_once(ours: list[Module]) -> None:
    assert classes_declared_twice(ours) == set()


def test_log_events_are_kebab_case_and_listed(ours: list[Module]) -> None:
    events = log_events(ours)
    assert [name for name in events if not KEBAB_CASE.fullmatch(name)] == []
    assert sorted(name for name in events if f"`{name}`" not in _PAGE) == []


def test_the_glossary_names_each_term_once() -> None:
    names = terms(_GLOSSARY)
    assert len(names) > 60
    assert sorted({name for name in names if names.count(name) > 1}) == []


def written(root: Path, **files: str) -> list[Module]:
    for name, text in files.items():
        path = root / "bookshelf" / f"{name}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return modules(root, ("bookshelf",))


@pytest.mark.parametrize(
    "text",
    ['"""Whoever asks."""\n', "x = 1  # it is told to go\n", 'raise ValueError("no one waits here")\n'],
)
def test_a_banned_word_is_found_in_all_prose(tmp_path: Path, text: str) -> None:
    assert len(banned_words(written(tmp_path, one=text))["bookshelf.one"]) == 1


def test_a_banned_word_in_the_name_of_a_test_is_found(tmp_path: Path) -> None:
    text = (
        'def test_who_is_slow() -> None:\n    """Raise nothing."""\n    x = "data: who said it"  # no one\n'
    )
    found = banned_words(written(tmp_path, one=text), prose_of_tests)
    assert found == {"bookshelf.one": ["3: no one", "1: who"]}


def test_names_and_keys_are_not_prose(tmp_path: Path) -> None:
    assert banned_words(written(tmp_path, one='said = {"mend": 1}\n')) == {}


def test_a_class_that_two_modules_declare_is_found(tmp_path: Path) -> None:
    found = written(tmp_path, one="class A: ...\nclass _B: ...\n", two="class A: ...\nclass _B: ...\n")
    assert classes_declared_twice(found) == {"A"}


def test_events_are_found_by_the_logger_that_logs_them(tmp_path: Path) -> None:
    text = '_logger.warning("not kebab", x=1)\n_logger.log(level, "by-level")\nother.info("else")\n'
    found = written(tmp_path, one=text)
    assert log_events(found) == {"not kebab": "bookshelf.one", "by-level": "bookshelf.one"}
