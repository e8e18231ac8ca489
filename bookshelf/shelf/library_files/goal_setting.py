"""Brings the goals of a file onto the shelf: a missing number is set, and a different one is compared."""

from http import HTTPStatus

import msgspec

from bookshelf.cqrs.api_client import ApiClient
from bookshelf.cqrs.phrases import phrase
from bookshelf.shelf.goals import goal_key
from bookshelf.shelf.library_files.bulk_sender import key_of
from bookshelf.shelf.library_files.compare import Difference
from bookshelf.shelf.library_files.entry import FileGoal
from bookshelf.shelf.library_files.report import ImportReport
from bookshelf.shelf.library_files.shelf_copy import SHELF, set_by_file, shelf_goals


async def set_goals(
    api: ApiClient, goals: list[FileGoal], report: ImportReport, *, prefer_file: bool
) -> None:
    """Set goals; a number that was set by hand stays unless `prefer_file`. Raises `ShelfFault`."""
    if not goals:
        return
    known = {goal.year: goal for goal in await shelf_goals(api)}
    for goal in goals:
        before = known.get(goal.year, FileGoal(year=goal.year))
        body = {"books": before.books, "pages": before.pages}
        for name, former in tuple(body.items()):
            value = getattr(goal, name)
            if value in {None, former}:
                continue
            taken = former is None or prefer_file or await set_by_file(api, goal_key(goal.year, None), _SET)
            if former is not None:
                title = f"goal of {goal.year}"
                report.differences.append(Difference(goal.line, title, name, former, value, taken))
            body[name] = value if taken else former
        if body != {"books": before.books, "pages": before.pages}:
            report.goals += 1
            if not report.preview:
                await _set(api, goal, body, report)


_SET = ("shelf.goal-set.v1",)


async def _set(api: ApiClient, goal: FileGoal, body: object, report: ImportReport) -> None:
    content = msgspec.json.encode([goal.year, body, report.correlation])
    headers = {"Idempotency-Key": key_of(content), "Bookshelf-Correlation": report.correlation}
    answer = await api.send("PUT", f"{SHELF}/goals/{goal.year}", body, headers)
    if answer.status >= HTTPStatus.BAD_REQUEST:
        report.goals -= 1
        not_set = phrase("the goal of {year} was not set: {why}", year=str(goal.year), why=answer.detail)
        report.warn(goal.line, not_set)
