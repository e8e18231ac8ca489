"""Several items of one rollout at a node: all are in force, or all are as they were, whatever fails."""

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bookshelf.cqrs.item import ItemChange, ItemProblem, digest_of
from bookshelf.runtime.agent.deployment import Deployment
from bookshelf.runtime.agent.item import AppliedItem, ItemRefused, Undo

NAMES = ("a", "b", "c", "d")


class FallibleKind:
    """Policies that are in a mapping. `faults`: what fails once, like `deploy b`."""

    def __init__(self) -> None:
        self.there: dict[str, str] = {}
        self.faults: set[str] = set()

    def check(self, _change: ItemChange) -> tuple[ItemProblem, ...]:
        return ()

    def concerns(self, change: ItemChange) -> Collection[str] | None:
        return (change.name,)

    async def load(self, change: ItemChange) -> AppliedItem:
        if f"load {change.name}" in self.faults:
            raise ItemRefused("it is not valid here")
        return AppliedItem(lambda: self._apply(change))

    def _apply(self, change: ItemChange) -> Undo:
        self._may_fail(f"deploy {change.name}")
        former = self.there.get(change.name)
        self.there.pop(change.name, None)
        if change.action == "put":
            self.there[change.name] = change.content

        def undo() -> None:
            self._may_fail(f"undo {change.name}")
            self.there.pop(change.name, None)
            if former is not None:
                self.there[change.name] = former

        return undo

    def _may_fail(self, what: str) -> None:
        if what in self.faults:
            self.faults.remove(what)
            raise OSError(what)


def put(name: str, content: str) -> ItemChange:
    return ItemChange("policy", name, "put", digest_of(content.encode()), content)


def after(there: dict[str, str], changes: Collection[ItemChange]) -> dict[str, str]:
    """Return what is there after these changes."""
    now = dict(there)
    for change in changes:
        now.pop(change.name, None)
        if change.action == "put":
            now[change.name] = change.content
    return now


def contents(there: dict[str, str]) -> list[ItemChange]:
    return [put(name, content) for name, content in there.items()]


async def begun(base: dict[str, str]) -> tuple[Deployment, FallibleKind]:
    """Return a node with these items in force."""
    kind = FallibleKind()
    deployment = Deployment({"policy": kind})
    await deployment.synchronise(contents(base))
    assert kind.there == base
    return deployment, kind


CHANGES = st.lists(
    st.sampled_from(NAMES).flatmap(
        lambda name: st.one_of(
            st.just(ItemChange("policy", name, "remove")),
            st.sampled_from(["x", "y"]).map(lambda content: put(name, content)),
        )
    ),
    min_size=1,
    max_size=5,
).map(tuple)
BASES = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["x", "z"]))


@given(base=BASES, changes=CHANGES, data=st.data())
async def test_a_change_that_fails_leaves_all_as_it_was(
    base: dict[str, str], changes: tuple[ItemChange, ...], data: st.DataObject
) -> None:
    deployment, kind = await begun(base)
    failing = data.draw(st.sampled_from([change.name for change in changes]))
    step = data.draw(st.sampled_from(["load", "deploy"]))
    kind.faults = {f"{step} {failing}"}
    with pytest.raises(ItemRefused):
        await deployment.deploy(changes)
    kind.faults = set()
    await deployment.undo()  # what the end of the rollout does
    assert kind.there == base
    await deployment.deploy(changes)
    assert kind.there == after(base, changes)


@given(base=BASES, changes=CHANGES)
async def test_what_is_rolled_back_is_as_it_was_and_what_is_kept_stays(
    base: dict[str, str], changes: tuple[ItemChange, ...]
) -> None:
    deployment, kind = await begun(base)
    await deployment.deploy(changes)
    await deployment.undo()
    assert kind.there == base
    await deployment.deploy(changes)
    await deployment.settle()
    await deployment.undo()
    assert kind.there == after(base, changes)


@given(base=BASES, changes=CHANGES, data=st.data())
async def test_what_could_not_be_undone_is_loaded_anew_with_the_revision(
    base: dict[str, str], changes: tuple[ItemChange, ...], data: st.DataObject
) -> None:
    deployment, kind = await begun(base)
    await deployment.deploy(changes)
    kind.faults = {f"undo {data.draw(st.sampled_from([change.name for change in changes]))}"}
    with pytest.raises(OSError, match="undo"):
        await deployment.undo()
    await deployment.synchronise(contents(base))
    assert kind.there == base
