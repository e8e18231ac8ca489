"""The file with the secret of the accounts, and the keys that are derived from it."""

from pathlib import Path
from typing import Literal

import pytest

from bookshelf.cli.callers import open_callers
from bookshelf.cli.start_secret import StartSecret
from bookshelf.config import Settings, WrongSetting
from bookshelf.keyring.derived_key import derive_key
from bookshelf.runtime.api.identity import LocalReader, SignedCallers
from bookshelf.runtime.secret_file import BadSecretFile, read_or_create_secret, read_secret


def test_the_first_start_creates_the_file_for_its_user_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "accounts.secret"
    secret = read_or_create_secret(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_or_create_secret(path) == read_secret(path) == secret
    assert len(secret) == 64


def test_a_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    path = tmp_path / "accounts.secret"
    with pytest.raises(BadSecretFile, match=f"cannot read {path}"):
        read_secret(path)
    path.write_text("short\n")
    with pytest.raises(BadSecretFile, match="at least 16 bytes"):
        read_or_create_secret(path)


def test_keys_are_derived_by_hkdf() -> None:
    # HKDF with SHA-256, no salt and this info, as computed once: with another value, no stored key opens
    found = derive_key(b"0123456789abcdef", "bookshelf gateway signature").hex()
    assert found == "2b868b1080f53c7971dd1a570032dfa585628f47bd53e4227b5c648789170ede"
    assert derive_key(b"0123456789abcdef", "another purpose").hex() != found


@pytest.mark.parametrize(
    ("accounts", "host", "kind"),
    [
        *(
            ("auto", "127.0.0.1", LocalReader),
            ("auto", "::1", LocalReader),
            ("auto", "localhost", LocalReader),
        ),
        *(("auto", "192.0.2.1", SignedCallers), ("on", "127.0.0.1", SignedCallers)),
        ("off", "192.0.2.1", LocalReader),
    ],
)
def test_accounts_are_on_if_the_port_is_open_to_others(
    tmp_path: Path, accounts: Literal["auto", "on", "off"], host: str, kind: type[object]
) -> None:
    settings = Settings(data=str(tmp_path), accounts=accounts, host=host)
    assert isinstance(open_callers(settings, StartSecret(settings), creates=True), kind)
    assert (tmp_path / "accounts.secret").exists() is (kind is SignedCallers)


def test_a_service_without_the_file_does_not_start_and_names_it(tmp_path: Path) -> None:
    settings = Settings(data=str(tmp_path), accounts="on")
    with pytest.raises(WrongSetting, match=r"accounts_secret_file .*accounts\.secret"):
        open_callers(settings, StartSecret(settings))


def test_a_start_reads_the_file_once(tmp_path: Path) -> None:
    secret = StartSecret(Settings(data=str(tmp_path)))
    read = secret.read(creates=True)
    (tmp_path / "accounts.secret").write_text("another secret of a later start\n")
    assert secret.read() == read
