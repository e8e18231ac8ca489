"""Goals: what is set is recorded once, and the key of a goal names its year and owner."""

from support.spec import given

from bookshelf.shelf.events import GoalSet
from bookshelf.shelf.goals import GOAL, Goal, SetGoal, goal_key, owner_of_goal


def test_a_goal_is_set_changed_and_cleared() -> None:
    books = GoalSet(year=2026, books=24)
    given(GOAL).when(SetGoal(year=2026, goal=Goal(books=24))).then(books)
    given(GOAL, books).when(SetGoal(year=2026, goal=Goal(books=24))).then()
    given(GOAL, books).when(SetGoal(year=2026, goal=Goal(pages=9000))).then(GoalSet(year=2026, pages=9000))
    given(GOAL, books).when(SetGoal(year=2026)).then(GoalSet(year=2026))
    given(GOAL).when(SetGoal(year=2026)).then()


def test_the_key_of_a_goal_names_its_year_and_any_owner_but_the_local_reader() -> None:
    assert [goal_key(2026, None), goal_key(2026, "ann")] == ["goal-2026", "goal-2026:ann"]
    assert [owner_of_goal("goal-2026"), owner_of_goal("goal-2026:ann")] == ["", "ann"]
    reserved = GOAL.reserved_ids
    assert reserved is not None
    assert [bool(reserved.fullmatch(key)) for key in ("goal-2026", "goal-2026:ann", "up-next", "x")] == [
        False,
        False,
        True,
        True,
    ]
