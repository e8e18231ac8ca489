"""The endpoints of a pool, and the state that is kept of each."""

import pytest
from support.openapi_documents import at

from bookshelf.discovery.port import Snapshot
from gateway.upstream.pool import Pool, Pools


def ids(pool: Pool) -> list[str]:
    return [one.instance.id for one in pool.endpoints]


def test_a_pool_has_only_endpoints_with_all_its_tags() -> None:
    pools = Pools()
    pool = pools.of(("books", "new"))
    pools.update(Snapshot((at("a", "books", "list"), at("b", "new", "books", "x"), at("c", "new"))))
    assert ids(pool) == ["b"]


def test_a_pool_that_is_created_late_has_the_ready_endpoints() -> None:
    pools = Pools()
    pools.update(Snapshot((at("a", "t"),)))
    assert ids(pools.of(("t",))) == ["a"]
    pools.update(Snapshot())
    assert ids(pools.of(("t",))) == []


def test_a_pool_without_tags_is_refused() -> None:
    with pytest.raises(ValueError, match="name a tag or a service"):
        Pools().of(())


def test_the_state_of_an_endpoint_is_shared_between_pools_while_it_is_ready() -> None:
    pools = Pools()
    pools.update(Snapshot((at("a", "t", "u"),)))
    [one] = pools.of(("t",)).endpoints
    one.breaker.trip(0.0)
    pools.update(Snapshot((at("a", "t", "u", version="2"), at("b", "t"))))
    assert pools.of(("u",)).endpoints == (one,)
    assert one.instance.meta == {"version": "2"}
    pools.update(Snapshot())
    pools.update(Snapshot((at("a", "t"),)))
    assert pools.of(("t",)).endpoints[0].breaker.closed


def test_the_owner_of_a_partition_is_found_in_the_metadata_of_instances() -> None:
    pools = Pools()
    says = [{"owns-x": "0,2", "partitions-x": "4"}, {"owns-x": "1,3", "partitions-x": "4"}]
    pools.update(Snapshot(tuple(at(f"{n}", "t", **meta) for n, meta in enumerate(says))))
    pool = pools.of(("t",))
    owners = {subject: pool.owner("x", subject) for subject in map(str, range(50))}
    assert {one.instance.id for one in owners.values() if one} == {"0", "1"}
    assert None not in owners.values()
    assert pool.owner("y", "1") is None


@pytest.mark.parametrize("wrong", ["", "x", "-4", "9999999999", "5"])
def test_contradicting_or_invalid_metadata_gives_no_owner(wrong: str) -> None:
    pools = Pools()
    said = [wrong, "4" if wrong == "5" else wrong]
    pools.update(
        Snapshot(
            tuple(at(f"{n}", "t", **{"owns-x": "0,1,2,3,z", "partitions-x": s}) for n, s in enumerate(said))
        )
    )
    assert pools.of(("t",)).owner("x", "1") is None
