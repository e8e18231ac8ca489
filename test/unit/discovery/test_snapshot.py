"""What is found by tags."""

import msgspec

from bookshelf.discovery.port import Instance, Snapshot


def test_an_instance_of_another_program_is_not_found_by_tags() -> None:
    ours = Instance(id="1", service="locks", tags=("cluster", "locks"), address="here", port=1)
    other = msgspec.structs.replace(ours, id="2", address="elsewhere", foreign=True)
    snapshot = Snapshot((other, ours))
    assert snapshot.having(["locks"]) == (ours,)
    assert snapshot.instances == (other, ours)
