"""Which clients see instances, breakers and metrics."""

import pytest

from bookshelf.http.message import request
from gateway.ingress.client_address import Visibility


def admits(who: str, peer: str, *, resolved: bool = False, **headers: str) -> bool:
    asked = request("GET", "/gateway", b"", **headers)
    asked.peer, asked.resolved = peer, resolved
    return Visibility(who).admits(asked)


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
def test_visibility_depends_on_the_client_s_network(peer: str, loopback: bool, private: bool) -> None:  # noqa: FBT001 (columns)
    assert admits("loopback", peer) is loopback
    assert admits("private", peer) is private
    assert admits("anyone", peer)
    assert not admits("nobody", peer)


@pytest.mark.parametrize("name", ["X_Forwarded_For", "Forwarded", "Via", "X_Real_IP", "X_Forwarded_Host"])
def test_a_client_behind_an_untrusted_proxy_sees_nothing(name: str) -> None:
    assert not admits("private", "127.0.0.1", resolved=False, **{name: "127.0.0.1"})
    assert admits("anyone", "127.0.0.1", resolved=False, **{name: "127.0.0.1"})


def test_a_client_named_by_a_trusted_proxy_is_checked_by_its_address() -> None:
    assert admits("loopback", "127.0.0.1", resolved=True, X_Forwarded_For="127.0.0.1", Via="1.1 proxy")
    assert not admits("loopback", "192.0.2.7", resolved=True, X_Forwarded_For="192.0.2.7")


def test_addresses_and_networks_are_admitted_by_name_and_no_others() -> None:
    who = "loopback, 10.1.0.0/16,2001:db8::7"
    for peer in ("127.0.0.1", "10.1.2.3", "::ffff:10.1.2.3", "2001:db8::7"):
        assert admits(who, peer), peer
    for peer in ("10.2.0.1", "192.168.0.1", "2001:db8::8"):
        assert not admits(who, peer), peer


def test_without_a_setting_only_this_machine_is_admitted() -> None:
    assert [admits(Visibility().who, peer) for peer in ("127.0.0.1", "10.0.0.7", "172.17.0.1")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("wrong", ["local", "10.0.0.0/33", "loopback; private", "example.org"])
def test_an_invalid_address_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not loopback, private, anyone, nobody, an address"):
        Visibility(wrong)
