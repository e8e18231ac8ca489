"""A policy is checked in its rollout; what a domain has decided is loaded whatever services run by now."""

import pytest

from bookshelf.cli.domain_kinds import make_kinds
from bookshelf.cluster.policy import ServicePolicy
from bookshelf.cqrs.item import ItemChange, digest_of
from bookshelf.runtime.agent.deployment import Deployment
from bookshelf.runtime.agent.item import ItemRefused
from bookshelf.runtime.agent.policy import PolicyGate
from bookshelf.runtime.api.identity import LocalReader

TEXT = 'state = "closed"\n'
POLICY = ItemChange("policy", "tallies", "put", digest_of(TEXT.encode()), TEXT)


async def test_a_policy_of_a_service_that_does_not_run_is_refused_in_a_rollout_and_loaded_if_decided() -> (
    None
):
    gate = PolicyGate(LocalReader())
    deployment = Deployment(make_kinds((), {"tallies": gate}))
    with pytest.raises(ItemRefused, match="the policy of tallies is not valid") as refused:
        await deployment.load((POLICY,))
    assert "there is no service tallies" in str(refused.value.problems[0])
    await deployment.synchronise((POLICY,))
    assert gate.policy == ServicePolicy(state="closed")


async def test_a_node_without_the_service_joins_with_its_policy() -> None:
    deployment = Deployment(make_kinds((), {}))
    await deployment.synchronise((POLICY,))
    assert deployment.applied == {("policy", "tallies"): POLICY}
