"""Self-signed certificates for tests of TLS."""

import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

#: The address that the certificates are for.
HOST = "127.0.0.1"


class KeyPair(NamedTuple):
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )


def write_signed(folder: Path) -> tuple[Path, KeyPair]:
    """Write the certificate of an authority, and one for `HOST` that it has signed, with its key."""
    authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    issuer = _named("An authority")
    ca = (
        _certificate(issuer, issuer, authority)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, hashes.SHA256())
    )
    made = (
        _certificate(_named("localhost"), issuer, key)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(authority, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    ca_file, files = folder / "ca.pem", KeyPair(folder / "signed.pem", folder / "signed-key.pem")
    ca_file.write_bytes(ca.public_bytes(pem))
    files.certificate.write_bytes(made.public_bytes(pem))
    files.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return ca_file, files


def write_certificate(folder: Path, name: str = "localhost", changed_ns: int = 1) -> KeyPair:
    """Write a certificate with this common name, valid for `HOST`, and its key; set their files' time."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(name)
    made = (
        _certificate(subject, subject, key)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    files = KeyPair(folder / "c.pem", folder / "k.pem")
    files.certificate.write_bytes(made.public_bytes(pem))
    files.key.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    for file in files:
        os.utime(file, ns=(changed_ns, changed_ns))
    return files
