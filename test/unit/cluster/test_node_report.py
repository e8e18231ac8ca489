"""How a node differs from its domain, and the browsers that have signed in to it."""

import pytest

from bookshelf.cli.node_console import NodeSessions
from bookshelf.cluster.node_report import OwnDifference, ReportedMember, own_differences
from bookshelf.cluster.pages.node_site import cookie_name, example_report
from bookshelf.http.problem import Problem


def members(*versions: str) -> tuple[ReportedMember, ...]:
    return tuple(ReportedMember(node=f"node{n}", version=version) for n, version in enumerate(versions))


def test_a_node_as_its_domain_has_no_difference() -> None:
    assert own_differences(example_report()) == ()


def test_the_version_of_most_nodes_is_named_if_it_is_another_one() -> None:
    found = own_differences(example_report(members=members("0.1.0", "0.2.0", "0.2.0")))
    assert found == (OwnDifference("version", here="0.1.0", there="0.2.0"),)
    # neither is that of most
    assert own_differences(example_report(members=members("0.1.0", "0.2.0"))) == ()


def test_groups_that_are_absent_other_or_surplus_are_named() -> None:
    usual = example_report()
    assert [one.kind for one in own_differences(example_report(groups=()))] == ["absent"]
    [group], settings = usual.groups, usual.items[1]
    assert [one.kind for one in own_differences(example_report(items=(settings,)))] == ["surplus"]
    other = type(group)(name=group.name, version="2.0.0", digest="7a" * 32, pid=1)
    assert [one.kind for one in own_differences(example_report(groups=(other,)))] == ["package"]


def test_a_node_without_groups_or_without_a_domain_lacks_none() -> None:
    assert own_differences(example_report(groups=(), runs_groups=False)) == ()
    assert own_differences(example_report(groups=(), domain="")) == ()


async def test_a_browser_is_signed_in_with_the_token_until_it_leaves_or_time_is_over() -> None:
    now = [0.0]
    sessions = NodeSessions("token", None, lambda: now[0])

    async def has(*those: str) -> tuple[bool, ...]:
        return tuple([await sessions.admits(session, {}) for session in those])

    with pytest.raises(Problem):
        sessions.begin("tökén")
    first, second = sessions.begin("token"), sessions.begin("token")
    assert first != second
    assert await has(first, "", "x") == (True, False, False)
    await sessions.end(first)
    assert await has(first, second) == (False, True)
    now[0] += 12 * 3600
    assert await has(second) == (False,)
    begun = [sessions.begin("token") for _ in range(101)]
    assert await has(begun[0], begun[1]) == (False, True)


def test_nodes_of_one_machine_have_cookies_of_their_own() -> None:
    assert cookie_name("localhost:8142") != cookie_name("localhost:8242")
    assert cookie_name("[::1]") == cookie_name("node1.example.org") == "bookshelf-node"
