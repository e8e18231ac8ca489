"""Who may see instances, breakers and metrics."""

import pytest

from bookshelf.runtime.http.message import request
from gateway.pages.inside import Inside, Who


def admits(who: Who, peer: str, **headers: str) -> bool:
    asked = request("GET", "/gateway", b"", **headers)
    asked.peer = peer
    return Inside(who).admits(asked)


@pytest.mark.parametrize(
    ("peer", "loopback", "private"),
    [
        ("127.0.0.1", True, True),
        ("::1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("10.0.0.7", False, True),
        ("fd12::7", False, True),
        ("fe80::7%eth0", False, True),
        ("8.8.8.8", False, False),
        ("2606:4700::1", False, False),
        ("nonsense", False, False),
        ("", True, True),
    ],
)
def test_by_where_they_come_from(peer: str, loopback: bool, private: bool) -> None:  # noqa: FBT001 (columns)
    assert admits("loopback", peer) is loopback
    assert admits("private", peer) is private
    assert admits("anyone", peer)
    assert not admits("nobody", peer)


@pytest.mark.parametrize("name", ["X_Forwarded_For", "Forwarded", "Via", "X_Real_IP", "X_Forwarded_Host"])
def test_who_comes_by_way_of_a_proxy_may_be_anyone(name: str) -> None:
    assert not admits("private", "127.0.0.1", **{name: "127.0.0.1"})
    assert admits("anyone", "127.0.0.1", **{name: "127.0.0.1"})
