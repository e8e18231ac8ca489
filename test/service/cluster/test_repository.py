"""The repository: a folder and a web server give the same answers, and everything is taken by its digest."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote

import pytest
from support.nginx import REMEDY, installed, nginx_files

from bookshelf.http.message import Request, Response
from bookshelf.http.server import HttpServer
from bookshelf.runtime.agent.repository import (
    FolderRepository,
    NotInRepository,
    PackageCache,
    Repository,
    RepositoryFault,
    WebRepository,
    open_repository,
)


class _Files:
    """Answers with the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle(self, request: Request) -> Response:
        file = self._folder / unquote(request.target).removeprefix("/shelf/")
        if request.target == "/shelf/broken":
            return Response(500, {})
        if request.target == "/shelf/moved":
            return Response(302, {"Location": "/shelf/index.toml"})
        return Response(200, {}, file.read_bytes()) if file.is_file() else Response(404, {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "packages").mkdir(parents=True)
    (root / "index.toml").write_bytes(b"# nothing\n")
    (root / "packages" / "a-1.0+x.pack").write_bytes(b"content")
    return root


@pytest.fixture(params=["folder", "relative", "file:", "http:", "nginx"])
async def repository(
    request: pytest.FixtureRequest, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Repository]:
    async with AsyncExitStack() as stack:
        match request.param:
            case "folder":
                location = str(folder)
            case "relative":
                monkeypatch.chdir(tmp_path)
                location = "root"
            case "file:":
                location = folder.as_uri()
            case "nginx":
                if installed() is None:
                    pytest.skip(REMEDY)
                location = f"http://127.0.0.1:{stack.enter_context(nginx_files(tmp_path, folder))}/shelf"
            case _:
                server = HttpServer(_Files(folder), "127.0.0.1", 0)
                await server.start()
                stack.push_async_callback(server.stop)
                location = f"http://127.0.0.1:{server.port}/shelf/"
        opened = open_repository(location)
        stack.push_async_callback(opened.close)
        yield opened


async def test_a_file_is_read(repository: Repository) -> None:
    assert await repository.read("index.toml", 100) == b"# nothing\n"
    assert await repository.read("packages/a-1.0+x.pack", 7) == b"content"


async def test_a_missing_file_is_named(repository: Repository) -> None:
    with pytest.raises(NotInRepository, match=r"the repository has no policies/a\.toml"):
        await repository.read("policies/a.toml", 100)


async def test_a_file_that_is_too_large_is_refused(repository: Repository) -> None:
    with pytest.raises(RepositoryFault, match="has more than 6 bytes"):
        await repository.read("packages/a-1.0+x.pack", 6)


@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "packages/../x", "packages/.x", "a/b/c", "", "a\n", "packages/x?y"]
)
async def test_no_path_leaves_the_repository(repository: Repository, path: str) -> None:
    with pytest.raises(RepositoryFault, match="is no path"):
        await repository.read(path, 100)


async def test_a_web_server_that_refuses_moves_or_is_away_is_a_fault(folder: Path) -> None:
    server = HttpServer(_Files(folder), "127.0.0.1", 0)
    await server.start()
    opened = WebRepository(f"http://127.0.0.1:{server.port}/shelf")
    try:
        with pytest.raises(RepositoryFault, match="with status 500"):
            await opened.read("broken", 100)
        with pytest.raises(RepositoryFault, match="with status 302"):
            await opened.read("moved", 100)
    finally:
        await server.stop()
        await opened.close()
    away = WebRepository(f"http://127.0.0.1:{server.port}/shelf")
    with pytest.raises(RepositoryFault, match=r"cannot be reached for index\.toml"):
        await away.read("index.toml", 100)
    await away.close()


@pytest.mark.parametrize(
    "location",
    ["", "ftp://x/y", "http://", "http://me:secret@x/y", "http://x/y?z", "file://other/x", "http://x:0/"],
)
def test_no_other_address_is_accepted(location: str) -> None:
    with pytest.raises(RepositoryFault) as refused:
        open_repository(location)
    assert "secret" not in str(refused.value)


async def test_what_has_another_digest_is_refused_and_not_cached(folder: Path, tmp_path: Path) -> None:
    cache = PackageCache(tmp_path / "cache", FolderRepository(folder))
    digest = sha256(b"content").hexdigest()
    with pytest.raises(RepositoryFault, match="has another digest"):
        await cache.fetch("packages/a-1.0+x.pack", "0" * 64, 100)
    assert await cache.fetch("packages/a-1.0+x.pack", digest, 100) == b"content"
    assert [file.name for file in (tmp_path / "cache").iterdir()] == [f"{digest}.pack"]


async def test_a_cached_package_needs_no_repository_and_a_damaged_one_is_fetched_again(
    folder: Path, tmp_path: Path
) -> None:
    cache = PackageCache(tmp_path / "cache", FolderRepository(folder))
    digest, path = sha256(b"content").hexdigest(), "packages/a-1.0+x.pack"
    await cache.fetch(path, digest, 100)
    (tmp_path / "cache" / f"{digest}.pack").write_bytes(b"damaged")
    assert await cache.fetch(path, digest, 100) == b"content"
    (folder / path).unlink()
    assert await cache.fetch(path, digest, 100) == b"content"
