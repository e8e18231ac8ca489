import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.shelf.library_files.states import _LISTED, FileState, is_yes, state_of

WORDS = [
    (word.strip(), state)
    for state, listed in _LISTED.items()
    for line in listed.splitlines()
    for word in line.split(",")
    if word.strip()
]


@given(
    st.sampled_from(WORDS),
    st.sampled_from(["", "✅ ", "📚"]),
    st.sampled_from(["", " ✅", " (owned)", "!"]),
    st.sampled_from([str, str.upper, str.title]),
)
def test_a_state_is_known_in_any_case_with_emoji_and_remarks(
    known: tuple[str, FileState], before: str, after: str, spelling: type[str]
) -> None:
    word, state = known
    if spelling(word).casefold() == word.casefold():
        assert state_of(before + spelling(word) + after) is state


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("to-read", FileState.WANTED),
        ("currently_reading", FileState.READING),
        ("Did Not Finish", FileState.ABANDONED),
        ("Stopped Reading", FileState.ABANDONED),
        ("on-hold", FileState.PAUSED),
        ("Re-reading", FileState.RE_READING),
        ("Termine", FileState.FINISHED),
        ("Not Begun", FileState.UNREAD),
        ("прочитано", FileState.FINISHED),
        ("读过", FileState.FINISHED),
        ("読みたい", FileState.WANTED),
        ("읽는 중", FileState.READING),
        ("okunacak", FileState.WANTED),
        ("keskeytetty", FileState.ABANDONED),
    ],
)
def test_words_of_programs_and_languages(word: str, state: FileState) -> None:
    assert state_of(word) is state


@pytest.mark.parametrize("word", ["overgive", "on loan", "", "✅", "2017", "favourites"])
def test_other_words_are_no_state(word: str) -> None:
    assert state_of(word) is None


@pytest.mark.parametrize(
    ("word", "yes"), [("Да", True), ("✔", True), ("はい", True), ("Нет", False), ("x", True), ("?", None)]
)
def test_yes_and_no_in_many_languages(word: str, yes: bool | None) -> None:  # noqa: FBT001
    assert is_yes(word) is yes
