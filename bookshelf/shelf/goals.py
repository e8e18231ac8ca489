"""The goals of the service stats: how many books and pages an owner means to read in a year."""

import re
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.handler import RequestContext
from bookshelf.cqrs.message import Command, Event, State
from bookshelf.cqrs.route import CommandRoute
from bookshelf.shelf.events import EVENTS, TOPIC, GoalSet

Year = Annotated[int, Meta(ge=1, le=9999, description="the year", examples=[2026])]
_Number = Annotated[int, Meta(ge=1, le=1_000_000, description="how many; null for no goal", examples=[24])]


class Goal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The goal of a year; null, or left out, is no goal."""

    books: _Number | None = None
    pages: _Number | None = None


class OneYear(msgspec.Struct, forbid_unknown_fields=True):
    """The year that a request is about."""

    year: Year


class SetGoal(Command, frozen=True):
    """Set the goal of a year."""

    TYPE: ClassVar[str] = "shelf.set-goal.v1"
    year: Year
    goal: Goal = Goal()


class YearGoal(State, frozen=True):
    """The state of a goal: what was set last."""

    goal: Goal = Goal()


def decide(state: YearGoal, command: Command) -> list[Event]:
    """Return the events that a command leads to."""
    match command:
        case SetGoal(year=year, goal=goal) if goal != state.goal:
            return [GoalSet(year=year, books=goal.books, pages=goal.pages)]
    return []


def evolve(state: YearGoal, event: Event) -> YearGoal:
    """Return the goal after an event."""
    match event:
        case GoalSet(books=books, pages=pages):
            return YearGoal(goal=Goal(books=books, pages=pages))
    return state


def goal_key(year: int, owner: str | None) -> str:
    """Return the key of a goal's events; it names the owner, if that is not the local reader."""
    return f"goal-{year}" if owner is None else f"goal-{year}:{owner}"


def owner_of_goal(key: str) -> str:
    """Return the owner that the key of a goal names; empty for the local reader."""
    return key.partition(":")[2]


GOAL = Aggregate(
    name="goal",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=YearGoal(),
    decide=decide,
    evolve=evolve,
    version=2,
    folds=(GoalSet,),
    takes=(SetGoal,),
    reserved_ids=re.compile(r"(?!goal-[0-9]{1,4}(:.*)?$).*", re.DOTALL),
)


def _key(_body: Goal, context: RequestContext) -> str:
    return goal_key(context.params.year, context.owner)


GOAL_ROUTES = (
    CommandRoute(
        method="PUT",
        path="/goals/{year}",
        summary="Set the goal of a year",
        aggregate=GOAL,
        body=Goal,
        params=OneYear,
        subject=_key,
        command=lambda body, context: SetGoal(year=context.params.year, goal=body),
    ),
)
