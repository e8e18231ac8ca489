"""Whose word counts about where a request comes from."""

import pytest
from multidict import CIMultiDict

from bookshelf.http.message import BytesBody, Request
from gateway.ingress.client_address import TrustedProxies, client_key

PROXY, NEAR, CLIENT = "10.0.0.1", "10.9.9.9", "192.0.2.7"
TRUSTED = ("10.0.0.0/8", "2001:db8:1::/48")


def seen(*given: tuple[str, str], peer: str = PROXY, trusted: tuple[str, ...] = TRUSTED) -> Request:
    headers = CIMultiDict([("Host", "own.example"), *given])
    return TrustedProxies(trusted).resolve(Request("GET", "/", headers, BytesBody(), peer))


@pytest.mark.parametrize("peer", [CLIENT, "", "unix", "::1", "2001:db8:2::1"])
def test_forwarded_headers_of_an_untrusted_peer_are_ignored(peer: str) -> None:
    found = seen(
        *(("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "x.example")),
        ("Forwarded", "for=1.2.3.4;proto=https;host=x.example"),
        peer=peer,
    )
    assert (found.peer, found.secure, found.headers["Host"]) == (peer, False, "own.example")


def test_without_trusted_proxies_all_forwarded_headers_are_ignored() -> None:
    assert seen(("X-Forwarded-For", "1.2.3.4"), trusted=()).peer == PROXY


@pytest.mark.parametrize("peer", [PROXY, "::ffff:10.0.0.1", "2001:db8:1::1"])
def test_forwarded_headers_of_a_trusted_proxy_are_used(peer: str) -> None:
    given = [("X-Forwarded-For", CLIENT), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "x.example:8")]
    found = seen(*given, peer=peer)
    assert (found.peer, found.secure, found.headers["Host"]) == (CLIENT, True, "x.example:8")


@pytest.mark.parametrize(
    ("chain", "client"),
    [
        ([f"1.1.1.1, {CLIENT}, {NEAR}"], CLIENT),
        ([f"1.1.1.1, {CLIENT}"], CLIENT),
        ([f"{NEAR}, 10.1.1.1"], NEAR),
        (["1.1.1.1", CLIENT], CLIENT),
        ([f"{CLIENT}, nonsense, {NEAR}"], NEAR),
        ([f"{CLIENT}:4711"], CLIENT),
        (["2001:db8::7"], "2001:db8::7"),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["unknown"], PROXY),
        ([""], PROXY),
        ([", ,"], PROXY),
        ([", ".join(["10.1.1.1"] * 1000)], "10.1.1.1"),
    ],
)
def test_the_client_is_the_last_untrusted_address(chain: list[str], client: str) -> None:
    assert seen(*(("X-Forwarded-For", one) for one in chain)).peer == client


@pytest.mark.parametrize(
    ("value", "client", "secure", "host"),
    [
        (f"for={CLIENT};proto=https;host=x.example", CLIENT, True, "x.example"),
        (f'For="{CLIENT}:47";PROTO=https, for={NEAR}', CLIENT, True, "own.example"),
        ('for="[2001:db8::7]:47"', "2001:db8::7", False, "own.example"),
        (f"for=1.1.1.1;host=forged.example, for={CLIENT}", CLIENT, False, "own.example"),
        ("for=_hidden;proto=https", PROXY, False, "own.example"),
        ("nonsense", PROXY, False, "own.example"),
        (f'for={CLIENT};host="a b"', CLIENT, False, "own.example"),
    ],
)
def test_the_forwarded_header_gives_the_same_client(value: str, client: str, secure: bool, host: str) -> None:  # noqa: FBT001
    found = seen(("Forwarded", value), ("X-Forwarded-For", "6.6.6.6"))
    assert (found.peer, found.secure, found.headers["Host"]) == (client, secure, host)


@pytest.mark.parametrize(
    ("scheme", "secure"), [("http, https", True), ("https, http", False), ("ftp", False)]
)
def test_the_last_scheme_of_the_chain_is_used(scheme: str, secure: bool) -> None:  # noqa: FBT001
    assert seen(("X-Forwarded-For", CLIENT), ("X-Forwarded-Proto", scheme)).secure is secure


def test_an_ipv6_client_is_identified_by_its_network() -> None:
    assert (
        client_key("2001:db8:1:2:3::4") == client_key("2001:db8:1:2:ffff::") != client_key("2001:db8:1:3::")
    )
    assert client_key("192.0.2.7") == "192.0.2.7"
    assert client_key("fe80::1%eth0") == "fe80::/64"
    assert client_key("::nonsense") == "::nonsense"


def test_the_cache_of_peers_is_bounded() -> None:
    origins = TrustedProxies(TRUSTED)
    for n in range(10_000):
        origins.resolve(Request("GET", "/", CIMultiDict(), BytesBody(), f"172.16.{n >> 8}.{n & 255}"))
    assert len(origins._known) <= 4096  # noqa: SLF001 (there is no other way to see it)


@pytest.mark.parametrize("name", ["127.0.0.1", "::1", "[::ffff:127.0.0.1]:80"])
def test_a_loopback_address_reported_by_another_machine_is_not_a_client(name: str) -> None:
    for header, value in (("X-Forwarded-For", name), ("Forwarded", f'for="{name}"')):
        found = seen((header, value))
        assert (found.peer, found.resolved) == (PROXY, False)
        near = seen((header, value), peer="127.0.0.1", trusted=("127.0.0.0/8",))
        assert near.resolved
        assert near.peer != PROXY


def test_a_client_address_records_whether_a_trusted_proxy_named_it() -> None:
    assert seen(("X-Forwarded-For", CLIENT)).resolved
    assert not seen(("X-Forwarded-For", CLIENT), trusted=()).resolved
    assert not seen().resolved
