"""Tests hand a port another adapter, and wait for conditions."""

from pathlib import Path

import pytest
from architecture.habits import patches, sleeps
from architecture.source import ROOT, Module, modules


@pytest.fixture(scope="module")
def tests() -> list[Module]:
    return modules(ROOT, ("test",))


def test_no_test_patches_what_it_tests(tests: list[Module]) -> None:
    assert patches(tests) == []


def test_no_test_sleeps_without_a_reason(tests: list[Module]) -> None:
    assert sleeps(tests) == []


def written(root: Path, text: str) -> list[Module]:
    (root / "test").mkdir()
    (root / "test" / "test_one.py").write_text(text)
    return modules(root, ("test",))


@pytest.mark.parametrize(
    "line",
    [
        "from unittest.mock import patch",
        "with mock.patch('a.b'): pass",
        "unittest.mock.patch.object(a, 'b')",
        "monkeypatch.setattr(a, 'b', 1)",
    ],
)
def test_a_patch_is_detected(tmp_path: Path, line: str) -> None:
    assert len(patches(written(tmp_path, line))) == 1


def test_the_environment_may_be_set(tmp_path: Path) -> None:
    assert patches(written(tmp_path, "monkeypatch.setenv('A', 'b')")) == []


@pytest.mark.parametrize("call", ["time.sleep(1)", "await asyncio.sleep(0)", "sleep(1)"])
def test_a_sleep_is_detected(tmp_path: Path, call: str) -> None:
    assert len(sleeps(written(tmp_path, f"async def f():\n    {call}\n"))) == 1


@pytest.mark.parametrize("text", ["sleep(1)  # sleep: a slow reader", "# sleep: a slow reader\nsleep(1)"])
def test_a_sleep_with_a_reason_is_allowed(tmp_path: Path, text: str) -> None:
    assert sleeps(written(tmp_path, text)) == []
