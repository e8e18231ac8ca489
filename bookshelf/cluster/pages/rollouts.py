"""Rollouts: all of them, one with everything that has happened in it, and its commit and its end."""

from collections.abc import Mapping

import msgspec

from bookshelf.cluster.pages.example_cluster import example_details, example_rollout
from bookshelf.cluster.pages.models import (
    COMMIT,
    READ,
    RESULT_NAMES,
    ROLLOUTS,
    STAGE_NAMES,
    STEP_NAMES,
    Stage,
    may_commit,
    stages_of,
)
from bookshelf.cluster.rollout_answers import ListedRollout, RolloutDetails
from bookshelf.site.api_adapters import ApiProblem, segment, target
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES = {
    "rollout-committed": _("All nodes have it."),
    "rollout-failed": _("It was not carried out: all nodes have what they had before."),
    "rollout-under-way": _("The rollout is under way. This page shows how far it is."),
    "rollout-rolled-back": _("The rollout is ended without its changes."),
}
#: Seconds that a page waits for the end of a rollout; then it shows how far it is.
_WAIT_S = 8.0
_CONFLICT = 409
_ROWS = 24


class RolloutListQuery(msgspec.Struct, frozen=True, kw_only=True):
    """From where on."""

    after: str = ""


class RolloutListModel(Model):
    """A page of rollouts, the newest first."""

    rows: tuple[ListedRollout, ...]
    more_address: str
    first_address: str
    result_names: Mapping[str, str]


class RolloutModel(Model):
    """One rollout, and what the caller can do with it."""

    details: RolloutDetails
    stages: tuple[Stage, ...]
    can_commit: bool
    can_end: bool
    result_names: Mapping[str, str]
    stage_names: Mapping[str, str]
    step_names: Mapping[str, str]


class RolloutDecisionForm(Form):
    """How many changes the administrator has seen."""

    changes: int = 0


class RolloutDecisionModel(Model):
    """The rollout that is committed, or ended without its changes."""

    details: RolloutDetails
    commits: bool


async def show_rollouts(request: PageRequest) -> Page:
    """Show a page of rollouts."""
    after = request.query.after
    asked = target("/cluster/rollouts", limit=_ROWS, after=after)
    found = await request.api.get(asked, kind=tuple[ListedRollout, ...])
    more = "" if found.cursor is None else target(ROLLOUTS, after=found.cursor)
    return _list(found.body, more, ROLLOUTS if after else "")


def _list(rows: tuple[ListedRollout, ...], more: str = "", first: str = "") -> Page:
    model = RolloutListModel(rows=rows, more_address=more, first_address=first, result_names=RESULT_NAMES)
    return Page("rollouts.html", model)


async def _read(request: PageRequest) -> RolloutDetails:
    path = f"/cluster/rollouts/{segment(request.path['id'])}"
    details: RolloutDetails = (await request.api.get(path, kind=RolloutDetails)).body
    return details


async def show_rollout(request: PageRequest) -> Page:
    """Show a rollout with every event of it."""
    return _one(await _read(request), can_commit=may_commit(request.caller))


def _one(details: RolloutDetails, *, can_commit: bool) -> Page:
    rollout = details.rollout
    model = RolloutModel(
        details=details,
        stages=() if rollout.result else stages_of(rollout),
        can_commit=can_commit and rollout.phase == "prepared" and not rollout.committed,
        can_end=can_commit and rollout.phase != "rollback",
        result_names=RESULT_NAMES,
        stage_names=STAGE_NAMES,
        step_names=STEP_NAMES,
    )
    return Page("rollout.html", model)


async def ask_commit(request: PageRequest) -> Page:
    """Ask whether a rollout is committed."""
    return _decision(await _read(request), commits=True)


async def ask_end(request: PageRequest) -> Page:
    """Ask whether a rollout is ended without its changes."""
    return _decision(await _read(request), commits=False)


def _decision(details: RolloutDetails, *, commits: bool) -> Page:
    return Page(
        "decide_rollout.html",
        RolloutDecisionModel(details=details, commits=commits),
        form=RolloutDecisionForm(changes=details.rollout.changes),
    )


async def commit(request: PageRequest, form: RolloutDecisionForm) -> Redirect:
    """Commit a rollout of as many changes as the page has shown; wait for its end. Raises `ApiProblem`."""
    return await _decide(request, "commit", {"changes": form.changes, "wait": _WAIT_S}, "rollout-committed")


async def end(request: PageRequest, _form: RolloutDecisionForm) -> Redirect:
    """End a rollout without its changes, and wait until it has ended. Raises `ApiProblem`."""
    return await _decide(request, "rollback", {"wait": _WAIT_S}, "rollout-rolled-back")


async def _decide(request: PageRequest, action: str, body: Mapping[str, object], notice: str) -> Redirect:
    """Lead to the page of the rollout, with what became of it. Raises `ApiProblem`."""
    try:
        made = await request.api.post(f"/cluster/rollouts/{segment(request.path['id'])}/{action}", body)
        notice = notice if made.body["state"] in RESULT_NAMES else "rollout-under-way"
    except ApiProblem as problem:
        if problem.answer.status != _CONFLICT or problem.answer.body.get("state") not in RESULT_NAMES:
            raise
        notice = "rollout-failed"
    return Redirect(_page_of(request), notice=notice)


def _page_of(request: PageRequest) -> str:
    return f"{ROLLOUTS}/{segment(request.path['id'])}"


_WHY = "node2: log_level is not one of debug, info, warning, error"


def _list_examples() -> Mapping[str, Page]:
    rows = (
        example_rollout(),
        example_rollout("committed"),
        example_rollout("aborted", reason=_WHY, node="node2"),
    )
    long = example_rollout("rolled-back", reason=_WHY * 9, actor="Wolfeschlegelsteinhausenbergerdorff" * 2)
    return {
        "usual": _list(rows),
        "empty": _list(()),
        "long": _list((*rows, long), target(ROLLOUTS, after="x"), ROLLOUTS),
    }


def _examples() -> Mapping[str, Page]:
    failed = example_rollout("aborted", reason=_WHY, node="node2")
    long = example_rollout("rolled-back", reason=_WHY * 9, actor="Wolfeschlegelsteinhausenbergerdorff" * 2)
    return {
        "usual": _one(example_details(example_rollout()), can_commit=True),
        "seen only": _one(example_details(example_rollout()), can_commit=False),
        "in force": _one(example_details(example_rollout("committed", "deploy")), can_commit=True),
        "aborted": _one(example_details(failed), can_commit=True),
        "long": _one(example_details(long), can_commit=True),
    }


def _decision_examples(*, commits: bool) -> Mapping[str, Page]:
    long = example_rollout(actor="Wolfeschlegelsteinhausenbergerdorff" * 2)
    return {
        "usual": _decision(example_details(example_rollout()), commits=commits),
        "long": _decision(example_details(long), commits=commits),
    }


PAGES = (
    PageRoute(
        ROLLOUTS,
        get=show_rollouts,
        title=_("Rollouts"),
        params=RolloutListQuery,
        section=ROLLOUTS,
        examples=_list_examples,
        requires=READ,
    ),
    PageRoute(
        f"{ROLLOUTS}/{{id}}",
        get=show_rollout,
        title=_("A rollout"),
        section=ROLLOUTS,
        examples=_examples,
        requires=READ,
    ),
    PageRoute(
        f"{ROLLOUTS}/{{id}}/commit",
        get=ask_commit,
        post=commit,
        form=RolloutDecisionForm,
        title=_("Commit the rollout?"),
        section=ROLLOUTS,
        examples=lambda: _decision_examples(commits=True),
        requires=(*READ, COMMIT),
    ),
    PageRoute(
        f"{ROLLOUTS}/{{id}}/rollback",
        get=ask_end,
        post=end,
        form=RolloutDecisionForm,
        title=_("Roll it back?"),
        section=ROLLOUTS,
        examples=lambda: _decision_examples(commits=False),
        requires=(*READ, COMMIT),
    ),
)
