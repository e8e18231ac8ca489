"""The index of a repository: written and read again, and what is refused."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.cluster.repository_index import (
    BadIndex,
    IndexedPackage,
    RepositoryIndex,
    parse_index,
    write_index,
)

A, B = "a" * 64, "b" * 64
ONE = IndexedPackage(name="counters", version="1.0.0", group="counters", digest=A)
TWO = IndexedPackage(name="counters", version="1.1.0", group="counters", digest=B)


def test_an_index_is_read_as_it_was_written() -> None:
    index = RepositoryIndex(package=(ONE, TWO), file={"config.toml": A, "policies/newbook.toml": B})
    assert parse_index(write_index(index)) == index
    assert parse_index(write_index(RepositoryIndex())) == RepositoryIndex()


def test_the_newest_of_a_group_is_the_one_added_last() -> None:
    index = RepositoryIndex().adding(ONE).adding(TWO)
    assert index.newest("counters") == TWO
    assert index.adding(ONE).newest("counters") == ONE
    assert index.with_digest(A) == ONE


def test_a_package_never_changes_under_its_version() -> None:
    changed = IndexedPackage(name="counters", version="1.0.0", group="counters", digest=B)
    with pytest.raises(BadIndex, match="give it a new version"):
        RepositoryIndex(package=(ONE,)).adding(changed)


def test_what_is_missing_is_refused_with_the_nearest_name() -> None:
    index = RepositoryIndex(package=(ONE,))
    with pytest.raises(BadIndex, match="no group countres; did you mean counters"):
        index.newest("countres")
    with pytest.raises(BadIndex, match="no package with the digest"):
        index.with_digest(B)


@pytest.mark.parametrize(
    "text",
    [
        "package = 5",
        '[file]\n"../x" = "' + A + '"',
        '[file]\n"config.toml" = "short"',
        '[[package]]\nname = "../x"\nversion = "1"\ngroup = "g"\ndigest = "' + A + '"',
        '[[package]]\nname = "x"\nversion = "../1"\ngroup = "g"\ndigest = "' + A + '"',
        ('[[package]]\nname = "x"\nversion = "1"\ngroup = "g"\ndigest = "' + A + '"\n') * 2,
        "[[package]",
    ],
)
def test_a_wrong_index_is_refused(text: str) -> None:
    with pytest.raises(BadIndex):
        parse_index(text)


@given(st.text(max_size=200))
def test_any_text_is_an_index_or_refused(text: str) -> None:
    with contextlib.suppress(BadIndex):
        index = parse_index(text)
        assert parse_index(write_index(index)) == index
