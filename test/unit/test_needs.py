"""Tests whose program is missing are skipped with the reason; where it is required, they fail."""

import pytest
from conftest import required


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with no programs."""
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("BOOKSHELF_TEST_REQUIRE", raising=False)


def outcome() -> tuple[type[BaseException], str]:
    """What becomes of a test that needs curl: both ways out are caught, for a skip would hide a defect."""
    with pytest.raises((pytest.skip.Exception, pytest.fail.Exception)) as raised:
        required("curl")
    return raised.type, str(raised.value)


def test_a_missing_program_skips_a_test_with_the_way_to_install_it() -> None:
    assert outcome() == (pytest.skip.Exception, "curl is missing: sudo apt-get install -y curl")


@pytest.mark.parametrize("names", ["curl", "kafka,curl", "kafka curl"])
def test_a_missing_required_program_fails_a_test(monkeypatch: pytest.MonkeyPatch, names: str) -> None:
    monkeypatch.setenv("BOOKSHELF_TEST_REQUIRE", names)
    assert outcome()[0] is pytest.fail.Exception


def test_a_missing_program_that_is_not_required_skips_a_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOOKSHELF_TEST_REQUIRE", "kafka")
    assert outcome()[0] is pytest.skip.Exception
