"""ACL tokens and TLS: both are used, and wrong ones are reported in one line."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import consul
from support.consul import HOST, Agent
from support.consul_discovery import followed, instance, opened, settings, well
from support.consul_program import program

from bookshelf.discovery.consul.discovery import ConsulDiscovery
from bookshelf.discovery.consul.settings import ConsulSettings
from bookshelf.discovery.port import DiscoveryFault

pytestmark = pytest.mark.needs("consul")
ROOT_TOKEN = "11111111-2222-3333-4444-555555555555"  # noqa: S105 (of an agent that dies with the test)
ACL = f"""
acl {{ enabled = true default_policy = "deny" tokens {{ master = "{ROOT_TOKEN}" agent = "{ROOT_TOKEN}" }} }}
"""
#: The policy in docs/consul.md.
RULES = 'service_prefix "" { policy = "write" } node_prefix "" { policy = "read" }'


@pytest.fixture(scope="module")
def guarded() -> Iterator[Agent]:
    """An agent that refuses requests without a token."""
    with consul.running(ACL, ROOT_TOKEN) as agent:
        yield agent


def made(agent: Agent, rules: str) -> str:
    """Return a new token with these rules."""
    name = f"tried-{len(agent.get('/v1/acl/policies'))}"
    agent.ask("PUT", "/v1/acl/policy", {"Name": name, "Rules": rules})
    told = agent.tell("PUT", "/v1/acl/token", {"Policies": [{"Name": name}]})
    return str(told["SecretID"])


async def test_a_token_with_the_documented_policy_works(guarded: Agent) -> None:
    token = made(guarded, RULES)
    async with opened(settings(guarded, token=token)) as discovery, followed(discovery) as seen:
        await discovery.register(instance("newbook-1"))
        await seen.until(well("newbook-1"))
        await discovery.report("newbook-1", "its log is away")
        await seen.until(well())
        await discovery.deregister("newbook-1")


async def test_a_wrong_token_is_reported_at_once_in_one_line(guarded: Agent) -> None:
    with pytest.raises(DiscoveryFault) as raised:
        await ConsulDiscovery.open(settings(guarded, token="0" * 36))
    assert str(raised.value) == (
        f"Consul at http://127.0.0.1:{guarded.ports.http} refuses the ACL token (ACL not found); "
        "docs/consul.md lists the rights that it needs"
    )


@pytest.mark.parametrize("rules", ["", 'service_prefix "" { policy = "read" }'], ids=["none", "a reader's"])
async def test_a_token_without_write_access_is_reported_at_registration(guarded: Agent, rules: str) -> None:
    token = made(guarded, rules) if rules else ""
    async with opened(settings(guarded, token=token)) as discovery:
        with pytest.raises(DiscoveryFault, match=r"ACL token \(Permission denied"):
            await discovery.register(instance("newbook-1"))


@pytest.mark.parametrize("token", ["two words", "line\nX-Evil: 1", "é"])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(DiscoveryFault, match="give the secret alone"):
        ConsulSettings(token=token)


def test_settings_do_not_show_the_token() -> None:
    assert ROOT_TOKEN not in repr(ConsulSettings(token=ROOT_TOKEN)) + str(ConsulSettings(token=ROOT_TOKEN))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an authority, a certificate by it for a server, and another authority."""
    folder = tmp_path_factory.mktemp("certificates")
    for words in (["ca", "create"], ["cert", "create", "-server"], ["ca", "create", "-domain", "other"]):
        subprocess.run([str(program()), "tls", *words], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def secure(certificates: Path) -> Iterator[tuple[Agent, int]]:
    """An agent, and where it speaks HTTPS."""
    port = consul.free_ports().http
    name = certificates / "dc1-server-consul-0"
    hcl = f'ports {{ https = {port} }} cert_file = "{name}.pem" key_file = "{name}-key.pem"'
    with consul.running(hcl) as agent:
        yield agent, port


def by_tls(port: int, ca_file: Path | None) -> ConsulSettings:
    ca = "" if ca_file is None else str(ca_file)
    return ConsulSettings(scheme="https", agent=f"{HOST}:{port}", ca_file=ca, wait_s=0.3)


async def test_an_agent_is_called_over_tls(secure: tuple[Agent, int], certificates: Path) -> None:
    async with (
        opened(by_tls(secure[1], certificates / "consul-agent-ca.pem")) as discovery,
        followed(discovery) as seen,
    ):
        await discovery.register(instance("newbook-1"))
        await seen.until(well("newbook-1"))


@pytest.mark.parametrize("ca_file", [None, "other-agent-ca.pem"])
async def test_an_agent_with_an_untrusted_certificate_is_refused(
    secure: tuple[Agent, int], certificates: Path, ca_file: str | None
) -> None:
    with pytest.raises(DiscoveryFault, match=r"(?i)certificate") as raised:
        await ConsulDiscovery.open(by_tls(secure[1], None if ca_file is None else certificates / ca_file))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_an_invalid_ca_file_is_reported(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(DiscoveryFault, match=r"ca\.pem has no certificate authority"):
        await ConsulDiscovery.open(by_tls(1, file))
