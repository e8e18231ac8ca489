"""`bookshelf repo` and `bookshelf package build`: a repository is made, filled, signed and verified."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from support.packages import files, package

from bookshelf.cli.main import main
from bookshelf.cluster.packages import PackageArchive
from bookshelf.runtime.agent.signatures import public_text


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    where = tmp_path / "repository"
    monkeypatch.setenv("BOOKSHELF_CLUSTER_REPOSITORY", str(where))
    assert run("repo", "init", str(where)).exit_code == 0
    return where


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def add(tmp_path: Path, name: str, content: bytes) -> Result:
    file = tmp_path / name
    file.write_bytes(content)
    return run("repo", "add", str(file))


def test_a_package_is_built_of_a_folder_without_what_python_compiled(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name, content in (files() | {"counters/__pycache__/x.pyc": b"", ".git/config": b""}).items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    assert "counters-1.0.0.pack" in run("package", "build", str(source), "--to", str(tmp_path)).output
    content = (tmp_path / "counters-1.0.0.pack").read_bytes()
    assert content == package()
    assert dict(PackageArchive(content).files()) == files()


def test_what_is_added_is_listed_and_verified(folder: Path, tmp_path: Path) -> None:
    assert add(tmp_path, "any.pack", package()).exit_code == 0
    assert add(tmp_path, "config.toml", b'log_level = "debug"\n').exit_code == 0
    assert add(tmp_path, "gateway.toml", b'[[forbid]]\npath = "/books"\n[limits]\nqueue = 5\n').exit_code == 0
    assert add(tmp_path, "newbook.toml", b'[route."POST /books"]\nrate = "5/second"\n').exit_code == 0
    listed = run("repo", "list").output
    assert "counters  counters 1.0.0" in listed
    assert "policies/newbook.toml" in listed
    done = run("repo", "verify")
    assert (done.exit_code, "packages: 1, other files: 3" in done.output) == (0, True)
    (folder / "config.toml").write_bytes(b'log_level = "info"\n')
    (folder / "packages" / "counters-1.0.0.pack").write_bytes(b"changed")
    done = run("repo", "verify")
    assert done.exit_code == 2
    assert "packages/counters-1.0.0.pack: has another digest" in done.output
    assert "config.toml: has another digest" in done.output


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("config.toml", b"port = 5\n", "config.toml:1:1: port is read once"),
        ("config.toml", b"\xff", "is not UTF-8"),
        ("gateway.toml", b"[limit]\n", "there is no table 'limit'"),
        ("gateway.toml", b'[limits]\nrate = "often"\n', "gateway.toml:1:1: limits "),
        ("newbok.toml", b"", "there is no service newbok; did you mean newbook?"),
        ("newbook.toml", b'[route."POST /book"]\n', "did you mean POST /books?"),
        ("x.pack", b"x", "x.pack: the archive is damaged"),
        ("x.txt", b"x", "is no package"),
    ],
)
def test_a_wrong_file_is_refused_and_not_added(
    folder: Path, tmp_path: Path, name: str, content: bytes, part: str
) -> None:
    index = (folder / "index.toml").read_bytes()
    done = add(tmp_path, name, content)
    assert done.exit_code == 2
    assert part in done.output
    assert (folder / "index.toml").read_bytes() == index


def test_another_content_under_a_version_that_is_there_is_refused(folder: Path, tmp_path: Path) -> None:
    assert add(tmp_path, "a.pack", package()).exit_code == 0
    done = add(tmp_path, "a.pack", package(answer="other"))
    assert "give it a new version" in done.output
    assert (folder / "packages" / "counters-1.0.0.pack").read_bytes() == package()


def test_packages_are_signed_once_and_verified_by_the_listed_keys(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(tmp_path, "a.pack", package())
    private = Ed25519PrivateKey.generate()
    key = tmp_path / "key.pem"
    key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    monkeypatch.setenv("BOOKSHELF_CLUSTER_KEYS", public_text(private))
    assert "has no packages/counters-1.0.0.pack.sig" in run("repo", "verify").output
    done = run("repo", "sign", "--key", str(key))
    assert "counters-1.0.0.pack is signed" in done.output
    assert public_text(private) in done.output
    assert "is signed" not in run("repo", "sign", "--key", str(key)).output
    assert run("repo", "verify").exit_code == 0
    monkeypatch.setenv("BOOKSHELF_CLUSTER_KEYS", public_text(Ed25519PrivateKey.generate()))
    assert "is signed by no key" in run("repo", "verify").output
    assert (folder / "packages" / "counters-1.0.0.pack.sig").read_text().count("\n") == 1


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.pack"
    file.write_bytes(package())
    done = run("repo", "add", "--repository", str(tmp_path), str(file))
    assert (done.exit_code, "bookshelf repo init" in done.output) == (2, True)
    assert run("repo", "add", "--repository", "http://x/y", str(file)).exit_code == 2
    assert "is a repository already" in run("repo", "init", str(_made(tmp_path))).output


def _made(tmp_path: Path) -> Path:
    run("repo", "init", str(tmp_path / "made"))
    return tmp_path / "made"
