"""`bookshelf repo` and `bookshelf package`: the repository of a domain, and packages of services."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from bookshelf.cli.command import MENDABLE, guarded, run, stop
from bookshelf.cli.repository_folder import RepositoryFolder
from bookshelf.cluster.items import GATEWAY_FILE, SETTINGS_FILE, check_gateway, check_settings
from bookshelf.cluster.packages import (
    ARCHIVE_BYTES,
    SUFFIX,
    BadPackage,
    PackageArchive,
    build_archive,
)
from bookshelf.cluster.policy import check_policy, file_of
from bookshelf.cluster.repository_index import (
    INDEX,
    INDEX_BYTES,
    BadIndex,
    IndexedPackage,
    RepositoryIndex,
    parse_index,
)
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import WrongSetting, load
from bookshelf.cqrs.item import CONTENT_BYTES, ItemProblem, digest_of
from bookshelf.runtime.agent.repository import (
    FolderRepository,
    NotInRepository,
    Repository,
    RepositoryFault,
    open_repository,
)
from bookshelf.runtime.agent.signatures import (
    SIGNATURE_BYTES,
    BadKey,
    is_signed,
    public_text,
    read_private_key,
    read_public_keys,
)

C = TypeVar("C", bound=Callable[..., object])


def _repository_option(command: C) -> C:
    """Add the option for the repository to a command."""
    what = "A folder, or an address; by default the setting `cluster_repository`."
    return click.option("--repository", metavar="WHERE", help=what)(command)


@click.group()
def repo() -> None:
    """Look after the repository of a domain: packages, policies and settings."""


@repo.command()
@click.argument("folder", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Make an empty repository in FOLDER."""
    guarded(RepositoryFolder(folder).create)
    click.echo(f"{folder} is a repository; set BOOKSHELF_CLUSTER_REPOSITORY={folder.absolute()} on each node")


@repo.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@_repository_option
def add(files: tuple[Path, ...], repository: str | None) -> None:
    """Add FILES: packages (NAME.pack), config.toml, gateway.toml, and policies (SERVICE.toml).

    Each is checked first; nothing of a file that is refused is added, and the exit code is 2.
    """

    def work() -> None:
        folder = _folder(repository)
        folder.index()
        for file in files:
            click.echo(_add(folder, file))

    guarded(work)


def _add(folder: RepositoryFolder, file: Path) -> str:
    """Add a file, and return what was added. Raises `WrongSetting`."""
    with file.open("rb") as opened:
        content = opened.read(ARCHIVE_BYTES + 1)
    if file.name.endswith(SUFFIX):
        _checked_archive(content, file.name)
        package = folder.add_package(content)
        return f"{package.path} of the group {package.group} ({package.digest})"
    path = file.name if file.name in {SETTINGS_FILE, GATEWAY_FILE} else file_of(file.stem)
    if file.suffix != ".toml":
        raise WrongSetting(f"{file} is no package ({SUFFIX}) and no TOML")
    if problems := _problems(path, file.stem, content):
        raise WrongSetting("; ".join(map(str, problems)))
    folder.add_file(path, content)
    return f"{path} ({digest_of(content)})"


def _checked_archive(content: bytes, name: str) -> PackageArchive:
    """Return an archive all files of which can be read. Raises `WrongSetting`."""
    try:
        archive = PackageArchive(content)
        for _ in archive.files():
            pass
    except BadPackage as fault:
        raise WrongSetting(f"{name}: {fault}") from None
    return archive


def _problems(path: str, service: str, content: bytes) -> tuple[ItemProblem, ...]:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return (ItemProblem(path, "is not UTF-8"),)
    if path == SETTINGS_FILE:
        return check_settings(text)
    if path == GATEWAY_FILE:
        from gateway.options import check_rules  # noqa: PLC0415 (loads the gateway)

        return check_gateway(text, check_rules)
    from bookshelf.services import SERVICES  # noqa: PLC0415 (loads all services)

    routes = {one.name: [f"{r.method} {r.path}" for r in one.loaded().serves] for one in SERVICES}
    return check_policy(service, text, routes)


@repo.command()
@click.option("--key", required=True, type=click.Path(path_type=Path), help="A private key in PEM (Ed25519).")
@_repository_option
def sign(key: Path, repository: str | None) -> None:
    """Sign every package that the key has not signed yet.

    `openssl genpkey -algorithm ed25519 -out key.pem` makes a key. Nodes need its public key, which is
    printed, in the setting `cluster_keys`.
    """

    def work() -> None:
        try:
            private = read_private_key(key.read_bytes())
        except BadKey as fault:
            raise WrongSetting(f"{key}: {fault}") from None
        for package in _folder(repository).sign(private):
            click.echo(f"{package.path} is signed")
        click.echo(f"the public key is {public_text(private)}")

    guarded(work)


@repo.command("list")
@_repository_option
def list_(repository: str | None) -> None:
    """List the packages by group, the newest of each last, and the other files."""

    async def work() -> None:
        opened = _opened(repository)
        try:
            index = await read_index(opened)
        finally:
            await opened.close()
        if not index.package and not index.file:
            click.echo("the repository is empty; `bookshelf repo add` adds packages and files")
        for package in index.package:
            click.echo(f"{package.group}  {package.name} {package.version}  {package.digest}")
        for path, digest in sorted(index.file.items()):
            click.echo(f"{path}  {digest}")

    guarded(lambda: run(work()))


@repo.command()
@_repository_option
def verify(repository: str | None) -> None:
    """Read every file, and compare it with the index; with `cluster_keys` also the signatures.

    Exit code 2 if something is wrong.
    """

    async def work() -> None:
        opened = _opened(repository)
        keys = load(ClusterSettings, os.environ).keys
        try:
            index = await read_index(opened)
            wrong = [
                text
                for package in index.package
                if (text := await _package_fault(opened, package, keys)) is not None
            ]
            wrong += [
                text
                for path, digest in index.file.items()
                if (text := await _file_fault(opened, path, digest)) is not None
            ]
        finally:
            await opened.close()
        for text in wrong:
            click.echo(text)
        if wrong:
            sys.exit(MENDABLE)
        click.echo(f"as the index states: packages: {len(index.package)}, other files: {len(index.file)}")

    guarded(lambda: run(work()))


async def _package_fault(
    repository: Repository, package: IndexedPackage, keys: tuple[str, ...]
) -> str | None:
    """Return what is wrong with a package; None if nothing is. Raises `WrongSetting` for a wrong key."""
    try:
        content = await repository.read(package.path, ARCHIVE_BYTES)
        if digest_of(content) != package.digest:
            return f"{package.path}: has another digest than the index states"
        _checked_archive(content, package.path)
        if keys:
            signatures = await repository.read(package.signature_path, SIGNATURE_BYTES)
            if not is_signed(package.digest, signatures, read_public_keys(keys)):
                return f"{package.path}: is signed by no key of `cluster_keys`"
    except NotInRepository as fault:
        return f"{package.path}: {fault}"
    except (RepositoryFault, WrongSetting) as fault:
        return str(fault)
    except BadKey as fault:
        raise WrongSetting(f"cluster_keys: {fault}") from None
    return None


async def _file_fault(repository: Repository, path: str, digest: str) -> str | None:
    try:
        content = await repository.read(path, CONTENT_BYTES)
    except RepositoryFault as fault:
        return f"{path}: {fault}"
    if digest_of(content) != digest:
        return f"{path}: has another digest than the index states"
    return next((str(problem) for problem in _problems(path, Path(path).stem, content)), None)


async def read_index(repository: Repository) -> RepositoryIndex:
    """Return the index of a repository. Raises `WrongSetting`."""
    try:
        return parse_index((await repository.read(INDEX, INDEX_BYTES)).decode())
    except (RepositoryFault, BadIndex) as fault:
        raise WrongSetting(str(fault)) from None
    except UnicodeDecodeError:
        raise WrongSetting(f"{INDEX} is not UTF-8") from None


def _location(given: str | None) -> str:
    location = given or load(ClusterSettings, os.environ).cluster_repository
    return location or stop("name the repository: --repository, or the setting `cluster_repository`")


def _opened(given: str | None) -> Repository:
    try:
        return open_repository(_location(given))
    except RepositoryFault as fault:
        raise WrongSetting(f"--repository: {fault}") from None


def _folder(given: str | None) -> RepositoryFolder:
    """Return the folder of a repository to be changed. Raises `WrongSetting` for one elsewhere."""
    opened = _opened(given)
    if not isinstance(opened, FolderRepository):
        raise WrongSetting("this repository is at a web server; change the folder that the server reads")
    return RepositoryFolder(opened.folder)


@click.group()
def package() -> None:
    """Make packages of services."""


@package.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--to", "target", type=click.Path(file_okay=False, path_type=Path), help="The folder to write to."
)
def build(folder: Path, target: Path | None) -> None:
    """Make NAME-VERSION.pack of FOLDER, which has package.toml and Python.

    Hidden files and those that Python has compiled are left out. Equal files make equal archives.
    """

    def work() -> None:
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and not _left_out(path.relative_to(folder))
        }
        try:
            content = build_archive(files)
        except BadPackage as fault:
            raise WrongSetting(f"{folder}: {fault}") from None
        file = (target or Path()) / PackageArchive(content).manifest.file
        file.write_bytes(content)
        click.echo(f"{file} ({len(content)} bytes, {digest_of(content)})")

    guarded(work)


def _left_out(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts) or path.suffix == SUFFIX
