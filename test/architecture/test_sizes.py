"""A file holds one thought, a function one idea: any behaviour is found in under a minute."""

from pathlib import Path

import pytest
from architecture.sizes import file_sizes, function_sizes, too_long
from architecture.source import ROOT, Module, modules

FILE = 400
FUNCTION = 40


@pytest.fixture(scope="module")
def ours() -> list[Module]:
    return modules(ROOT)


def test_files_are_small(ours: list[Module]) -> None:
    assert too_long(file_sizes(ours), FILE) == []


def test_functions_are_small(ours: list[Module]) -> None:
    assert too_long(function_sizes(ours), FUNCTION) == []


def test_tests_are_small() -> None:
    assert too_long(file_sizes(modules(ROOT, ("test",))), FILE) == []


def written(root: Path, text: str) -> list[Module]:
    (root / "bookshelf").mkdir()
    (root / "bookshelf" / "one.py").write_text(text)
    return modules(root, ("bookshelf",))


def test_a_long_file_is_detected(tmp_path: Path) -> None:
    found = written(tmp_path, "x = 1\n" * 401)
    assert too_long(file_sizes(found), FILE) == ["bookshelf.one has 401 lines, over 400"]


def test_a_long_function_is_detected(tmp_path: Path) -> None:
    found = written(tmp_path, "async def long():\n" + "    x = 1\n" * 40)
    assert too_long(function_sizes(found), FUNCTION) == ["bookshelf.one:1 long has 41 lines, over 40"]


def test_decorators_and_docstrings_do_not_count(tmp_path: Path) -> None:
    text = '@first\n@second\ndef said(\n    x,\n):\n    """Say.\n\n    More.\n    """\n    return x\n'
    assert function_sizes(written(tmp_path, text)) == {"bookshelf.one:3 said": 4}


def test_methods_and_inner_functions_count(tmp_path: Path) -> None:
    text = "class A:\n    def outer(self):\n        def inner():\n            pass\n"
    assert list(function_sizes(written(tmp_path, text)).values()) == [3, 2]
