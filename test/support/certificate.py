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


def write_certificate(folder: Path, name: str = "localhost", changed_ns: int = 1) -> KeyPair:
    """Write a certificate with this common name, valid for `HOST`, and its key; set their files' time."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
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
