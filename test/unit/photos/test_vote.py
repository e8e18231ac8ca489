"""Votes: one of each person for a photo, that can be changed and taken back."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as sampled
from hypothesis import strategies as st
from support.photo_events import ADDED
from support.spec import given

from bookshelf.cqrs.errors import Conflict, Gone, NotFound
from bookshelf.photos.events import PhotoRemoved, VoteCast, VoteWithdrawn
from bookshelf.photos.parent import PARENT
from bookshelf.photos.vote import VOTE, CastVote, Vote, WithdrawVote

AT = datetime(2026, 11, 25, 10, tzinfo=UTC)
LATER = AT + timedelta(minutes=1)
UP = CastVote(person="bob", way=1, at=LATER)
DOWN = CastVote(person="bob", way=-1, at=LATER)
VOTED = VoteCast(way=1, at=AT)
REMOVED = (ADDED, PhotoRemoved(reason="owner"))


def test_a_first_vote_replaces_nothing() -> None:
    given(VOTE, parent=[ADDED]).when(UP).then(VoteCast(way=1, at=LATER))


def test_the_same_vote_again_gives_no_event() -> None:
    given(VOTE, VOTED, parent=[ADDED]).when(UP).then()


def test_another_vote_names_the_one_that_it_replaces() -> None:
    replaced = VoteCast(way=-1, at=LATER, previous=1, previous_at=AT)
    given(VOTE, VOTED, parent=[ADDED]).when(DOWN).then(replaced)


def test_a_vote_is_taken_back_once() -> None:
    withdrawn = VoteWithdrawn(previous=1, previous_at=AT)
    given(VOTE, VOTED, parent=[ADDED]).when(WithdrawVote()).then(withdrawn)
    given(VOTE, VOTED, withdrawn, parent=[ADDED]).when(WithdrawVote()).then()
    given(VOTE, VOTED, withdrawn, parent=[ADDED]).when(DOWN).then(VoteCast(way=-1, at=LATER))


def test_only_a_photo_that_is_there_can_be_voted_for() -> None:
    given(VOTE).when(UP).refused(NotFound)
    given(VOTE).when(WithdrawVote()).refused(NotFound)
    given(VOTE, parent=REMOVED).when(UP).refused(Gone)


def test_a_vote_for_a_removed_photo_can_be_taken_back() -> None:
    given(VOTE, VOTED, parent=REMOVED).when(WithdrawVote()).then(VoteWithdrawn(previous=1, previous_at=AT))


def test_a_vote_for_one_s_own_photo_is_a_matter_of_the_settings() -> None:
    own = CastVote(person="ann", way=1, at=LATER, own_too=False)
    given(VOTE, parent=[ADDED]).when(own).refused(Conflict)
    given(VOTE, parent=[ADDED]).when(CastVote(person="ann", way=1, at=LATER)).then(VoteCast(way=1, at=LATER))


@pytest.mark.parametrize("key", ["photo", "photo~c-1", "photo~v-", "photo~v-ann~v-bob", "~v-ann"])
def test_other_ids_are_no_votes(key: str) -> None:
    assert VOTE.reserved_ids is not None
    assert VOTE.reserved_ids.fullmatch(key) is not None
    assert VOTE.reserved_ids.fullmatch("photo~v-ann") is None


_COMMANDS = st.sampled_from([UP, DOWN, WithdrawVote()])


@sampled(st.lists(_COMMANDS, max_size=12))
def test_what_the_events_replace_adds_up_to_the_last_vote(commands: list[CastVote | WithdrawVote]) -> None:
    """A view adds `way` and subtracts `previous`: after any commands the sum is the one vote that counts."""
    events: list[VoteCast | VoteWithdrawn] = []
    total = 0
    photo = PARENT.fold(ADDED)
    for command in commands:
        made = VOTE.decide(VOTE.fold(events), command, photo)
        for event in made:
            assert isinstance(event, VoteCast | VoteWithdrawn)
            total += (event.way if isinstance(event, VoteCast) else 0) - (event.previous or 0)
            events.append(event)
        state = VOTE.fold(events)
        assert isinstance(state, Vote)
        assert total == state.way
