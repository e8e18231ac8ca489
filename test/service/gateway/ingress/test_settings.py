"""The settings of what is let in, and what becomes of them."""

from pathlib import Path

import pytest
from support.gateway_sockets import asks, response_to, status
from support.upstream import HOST, Service, openapi_document

from bookshelf.config import GatewaySettings, WrongSetting, load
from gateway.ingress.listen import connection_limits, ingress_policy, open_gateway_server, verifier
from gateway.jwt import Tokens

ANY = openapi_document("any", ("any",), "GET /")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"GATEWAY_TRUSTED": "10.0.0.0/33"}, "gateway_trusted"),
        ({"GATEWAY_RATE": "often"}, "gateway_rate"),
        ({"GATEWAY_RATE": "1/second", "GATEWAY_RATE_STORAGE": "paper"}, "gateway_rate_storage"),
        ({"GATEWAY_REDIRECT_PORT": "80"}, "gateway_redirect_port"),
        ({"GATEWAY_TLS_CERT": "nowhere.pem"}, "gateway_tls_cert"),
    ],
)
async def test_implausible_settings_are_reported_at_the_start(given: dict[str, str], named: str) -> None:
    gate = load(GatewaySettings, {f"BOOKSHELF_{name}": value for name, value in given.items()})
    with pytest.raises(WrongSetting, match=named):
        await open_gateway_server(Service(ANY), gate, HOST, 0)


def test_missing_keys_or_issuer_are_reported_at_the_start(tmp_path: Path) -> None:
    assert verifier(GatewaySettings()) is None
    with pytest.raises(WrongSetting, match="gateway_issuer"):
        verifier(GatewaySettings(gateway_jwks="keys.json"))
    with pytest.raises(WrongSetting, match="gateway_jwks"):
        verifier(GatewaySettings(gateway_jwks=str(tmp_path), gateway_issuer="me", gateway_audience="books"))
    with pytest.raises(WrongSetting, match="https"):
        verifier(
            GatewaySettings(
                gateway_jwks="http://issuer.example/", gateway_issuer="me", gateway_audience="books"
            )
        )
    made = verifier(
        GatewaySettings(gateway_jwks="https://issuer.example/", gateway_issuer="a", gateway_audience="b")
    )
    assert isinstance(made, Tokens)


def test_each_limit_is_read_from_its_setting() -> None:
    gate = GatewaySettings(
        gateway_head_s=1,
        gateway_body_s=2,
        gateway_body_rate=3,
        gateway_unread_s=4,
        gateway_idle_s=5,
        gateway_connections=6,
        gateway_connections_each=7,
        gateway_requests=8,
        gateway_queue=9,
        gateway_queue_s=10,
        gateway_body=11,
        gateway_hsts_s=12,
        gateway_total_s=13,
    )
    made, rules = connection_limits(gate), ingress_policy(gate)
    port = (made.head_s, made.body_idle_s, made.body_rate, made.unread_s, made.idle_s)
    assert (*port, made.connections, made.connections_each) == (1, 2, 3, 4, 5, 6, 7)
    assert rules.total_s == 13
    crowd = rules.concurrency
    assert (crowd.most, crowd.queue, crowd.wait_s, rules.body, rules.hsts_s) == (
        8,
        9,
        10,
        11,
        12,
    )


async def test_rate_limits_and_cors_apply_at_the_open_port() -> None:
    gate = GatewaySettings(gateway_rate="2/hour", gateway_cors="https://a.example, https://b.example")
    server = await open_gateway_server(Service(ANY), gate, HOST, 0)
    answers = [
        await response_to(server.port, asks("GET", "/", "Origin: https://b.example")) for _ in range(3)
    ]
    await server.stop()
    assert [status(one) for one in answers] == [200, 200, 429]
    assert all(b"Access-Control-Allow-Origin: https://b.example" in one for one in answers)
