"""TLS at the gateway's port: a certificate that changes, and a plain port that sends there."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from support.certificate import write_certificate
from support.gateway_sockets import asks, status
from support.upstream import HOST, Service, eventually, openapi_document

from bookshelf.config import GatewaySettings, WrongSetting
from bookshelf.http.server import free_port
from gateway.ingress.listen import Certificate, GatewayServer, open_gateway_server

ANY = openapi_document("any", ("any",), "GET /")


def write(folder: Path, name: str, stamp: int) -> GatewaySettings:
    """Write a certificate for a name, with its key."""
    certificate, key = write_certificate(folder, name, stamp)
    return GatewaySettings(gateway_tls_cert=str(certificate), gateway_tls_key=str(key), gateway_hsts_s=60)


async def served_name(port: int) -> str:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection(HOST, port, ssl=context)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    name = x509.load_der_x509_certificate(found).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    return str(name)


@pytest.fixture
async def service() -> Service:
    return Service(ANY)


@pytest.fixture
async def server(tmp_path: Path, service: Service) -> AsyncIterator[GatewayServer]:
    gate = write(tmp_path, "first", 1)
    fields = {name: getattr(gate, name) for name in gate.__struct_fields__}
    made = await open_gateway_server(
        service, GatewaySettings(**{**fields, "gateway_redirect_port": free_port()}), HOST, 0
    )
    yield made
    await made.stop()


async def ask(port: int, content: bytes, *, tls: bool) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(HOST, port, ssl=context if tls else None)
        writer.write(content)
        found = await reader.read()
        writer.close()
    return found


async def test_a_request_over_tls_has_the_scheme_https(server: GatewayServer, service: Service) -> None:
    answer = await ask(server.port, asks("GET", "/"), tls=True)
    assert status(answer) == 200
    assert b"Strict-Transport-Security: max-age=60" in answer
    assert [asked.secure for asked in service.asked] == [True]
    assert server.scheme == "https"


async def test_the_plain_port_only_redirects(server: GatewayServer, service: Service) -> None:
    assert server.redirect_port is not None
    answer = await ask(server.redirect_port, asks("POST", "/bookshelf/books?q=1"), tls=False)
    assert status(answer) == 308
    assert b"Location: https://books.localhost" in answer
    assert b"/bookshelf/books?q=1\r\n" in answer
    forged = asks("GET", "/").replace(b"books.localhost", b"evil.example/x?")
    assert status(await ask(server.redirect_port, forged, tls=False)) == 400
    assert service.asked == []


async def test_a_new_certificate_is_served_without_a_restart(tmp_path: Path, service: Service) -> None:
    server = await open_gateway_server(service, write(tmp_path, "first", 1), HOST, 0)
    certificate = server.certificate
    assert certificate is not None
    assert await served_name(server.port) == "first"
    write(tmp_path, "second", 2)
    certificate.look()
    assert await served_name(server.port) == "second"
    (tmp_path / "k.pem").write_text("half written")
    certificate.look()
    assert await served_name(server.port) == "second"
    write(tmp_path, "third", 3)
    certificate.look()
    assert await served_name(server.port) == "third"
    await server.stop()


async def test_certificate_files_are_polled(tmp_path: Path) -> None:
    write(tmp_path, "first", 1)
    certificate = Certificate(tmp_path / "c.pem", tmp_path / "k.pem", look_s=0.001)
    looks = asyncio.create_task(certificate.watch())
    write(tmp_path, "second", 2)
    await eventually(lambda: certificate.renewed == 1)
    looks.cancel()


@pytest.mark.parametrize("content", ["", "nonsense"])
async def test_an_invalid_certificate_is_reported(tmp_path: Path, content: str) -> None:
    gate = write(tmp_path, "first", 1)
    (tmp_path / "c.pem").write_text(content)
    with pytest.raises(WrongSetting, match="gateway_tls_cert"):
        await open_gateway_server(Service(ANY), gate, HOST, 0)


async def test_plain_http_to_the_tls_port_is_refused(server: GatewayServer, service: Service) -> None:
    with contextlib.suppress(ConnectionResetError):
        assert b"200" not in await ask(server.port, asks("GET", "/"), tls=False)
    assert service.asked == []
