"""`bookshelf admin` at a gateway with HTTPS and accounts: an authority of one's own, a person, a domain."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from support.certificate import write_certificate, write_signed
from support.users import PASSWORD

from bookshelf.cli.embedded import embedded
from bookshelf.cli.main import main
from bookshelf.config import read
from bookshelf.services import SERVICES


async def run(*command: str) -> tuple[int, str]:
    """Run `bookshelf`; return its exit code and what it prints."""
    done = await asyncio.to_thread(lambda: CliRunner().invoke(main, command))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


class SecureGateway(NamedTuple):
    """A running shelf behind HTTPS, the certificate of its authority, and a file with ann's password."""

    url: str
    ca: Path
    password: Path

    async def admin(self, *command: str, user: str = "ann") -> tuple[int, str]:
        """Run `bookshelf admin` as a person."""
        person = ("--user", user, "--password-file", str(self.password))
        return await run("admin", "--node", self.url, "--ca", str(self.ca), *person, *command)


@pytest.fixture
async def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SecureGateway]:
    ca, pair = write_signed(tmp_path)
    monkeypatch.setenv("BOOKSHELF_CLUSTER_DOMAIN", "blue")
    monkeypatch.setenv("BOOKSHELF_GATEWAY_TLS_CERT", str(pair.certificate))
    monkeypatch.setenv("BOOKSHELF_GATEWAY_TLS_KEY", str(pair.key))
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    data = tmp_path / "data"
    settings = read({}, data=str(data), port=0, service_ports="auto", accounts="on")
    services = [s for s in SERVICES if s.name in {"newbook", "users", "rollouts"}]
    async with asyncio.timeout(120), embedded(settings, services) as shelf:
        made = ("accounts", "create-admin", "ann", "--email", "ann@example.org", "--password-file")
        code, text = await run(*made, str(password), "--data", str(data))
        assert code == 0, text
        yield SecureGateway(shelf.url.replace("localhost", "127.0.0.1"), ca, password)


async def test_a_person_changes_the_domain_through_https(gateway: SecureGateway, tmp_path: Path) -> None:
    policy = tmp_path / "closed.toml"
    policy.write_text('state = "closed"\n')
    code, text = await gateway.admin("--domain", "blue", "apply-policy", "newbook", str(policy), "--commit")
    assert (code, "committed; revision 1" in text) == (0, True), text
    assert (await gateway.admin("status"))[1].startswith("Revision 1; no rollout is open")
    code, text = await gateway.admin("--domain", "green", "apply-policy", "newbook", str(policy))
    assert (code, "--domain green: the node is of the domain blue" in text) == (2, True), text
    code, text = await gateway.admin("status", user="ben")
    assert (code, PASSWORD in text) == (2, False), text


async def test_a_server_of_another_authority_gets_no_password(gateway: SecureGateway, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    code, text = await gateway._replace(ca=write_certificate(other).certificate).admin("status")
    assert (code, "CERTIFICATE_VERIFY_FAILED" in text) == (4, True), text
    # nor one that the system's authorities do not know
    code, text = await run("admin", "--node", gateway.url, "status")
    assert (code, "CERTIFICATE_VERIFY_FAILED" in text) == (4, True), text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--node", "http://127.0.0.1:9", "--ca", "CA"), "--ca is for a --node with https"),
        (("--ca", "CA"), "--ca is for a --node with https"),
        (("--node", "https://127.0.0.1:9", "--ca", "PASSWORD"), "is no certificate of an authority"),
        (("--node", "node1:8141"), "is no address like https://"),
        (("--node", "http://node1.example.org:8140", "--user", "ann"), "over https only"),
        (("--node", "http://192.0.2.1", "--token-file", "PASSWORD"), "over https only"),
        (("--user", "ann"), "--user needs --node"),
        (("--node", "https://127.0.0.1:9", "--password-file", "PASSWORD"), "--password-file needs --user"),
    ],
)
async def test_options_that_do_not_fit_are_refused(
    options: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    ca, _ = write_signed(tmp_path)
    (tmp_path / "password").write_text("no certificate\n")
    files = {"CA": str(ca), "PASSWORD": str(tmp_path / "password")}
    code, text = await run("admin", *(files.get(option, option) for option in options), "status")
    assert (code, reason in text) == (2, True), text
