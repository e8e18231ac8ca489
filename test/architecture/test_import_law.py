"""The allowed imports between packages. The folders are the architecture; this table enforces it."""

from pathlib import Path

import pytest
from architecture.imports import PURE, Law, cycle, impure, part_of, unlawful, vague
from architecture.source import ROOT, Module, modules

# part -> what of ours it may import, beside itself. The longest name that fits is a module's part.
LAW: Law = {
    "bookshelf": set(),
    "bookshelf.__main__": {"bookshelf.cli"},
    # of the adapters it imports only their settings
    "bookshelf.config": {
        *("bookshelf.log", "bookshelf.discovery", "bookshelf.storage", "bookshelf.http"),
        "bookshelf.cluster.settings",
    },
    # the vocabulary, with requests and responses as values, and the business written in it: one line for each
    # context
    "bookshelf.cqrs": {
        *("bookshelf.http.message", "bookshelf.http.problem", "bookshelf.media.port"),
        "bookshelf.keyring.port",
    },
    "bookshelf.shelf": {"bookshelf.cqrs", "bookshelf.storage"},
    "bookshelf.accounts": {"bookshelf.cqrs", "bookshelf.storage"},
    "bookshelf.accounts.handlers": {
        *("bookshelf.accounts", "bookshelf.cqrs", "bookshelf.runtime", "bookshelf.keyring"),
        *("bookshelf.http.message", "bookshelf.http.problem", "bookshelf.http.client_network"),
    },
    "bookshelf.shop": {"bookshelf.cqrs", "bookshelf.storage", "bookshelf.accounts.events"},
    "bookshelf.photos": {"bookshelf.cqrs", "bookshelf.storage", "bookshelf.accounts.events"},
    # changes what runs: it checks settings against those of the program
    "bookshelf.cluster": {"bookshelf.cqrs", "bookshelf.storage", "bookshelf.config"},
    "bookshelf.cluster.settings": set(),
    "bookshelf.cluster.handlers": {
        *("bookshelf.cluster", "bookshelf.cqrs", "bookshelf.runtime", "bookshelf.config"),
        *("bookshelf.http.message", "bookshelf.http.problem"),
    },
    "bookshelf.cluster.services": {
        *("bookshelf.cluster", "bookshelf.cqrs", "bookshelf.storage", "bookshelf.config"),
    },
    "bookshelf.cluster.pages": {"bookshelf.cluster", "bookshelf.site", "bookshelf.cqrs"},
    "bookshelf.files": {"bookshelf.cqrs"},
    "bookshelf.files.handlers": {
        *("bookshelf.files", "bookshelf.cqrs", "bookshelf.media", "bookshelf.config"),
        *("bookshelf.http.message", "bookshelf.http.multipart", "bookshelf.http.problem"),
    },
    "bookshelf.photos.services": {"bookshelf.photos", "bookshelf.cqrs", "bookshelf.config"},
    "bookshelf.photos.handlers": {
        *("bookshelf.photos", "bookshelf.cqrs", "bookshelf.media", "bookshelf.runtime", "bookshelf.config"),
        *("bookshelf.http.message", "bookshelf.http.multipart", "bookshelf.http.problem"),
    },
    "bookshelf.shop.handlers": {
        *("bookshelf.shop", "bookshelf.cqrs", "bookshelf.runtime"),
        *("bookshelf.http.message", "bookshelf.http.problem"),
    },
    # the frame of all pages, and the pages of a context
    "bookshelf.site": {
        *("bookshelf.cqrs", "bookshelf.http", "bookshelf.config", "bookshelf.concurrency"),
        *("bookshelf.keyring.port", "bookshelf.media.port"),
    },
    "bookshelf.covers": set(),
    "bookshelf.shelf.pages": {
        *("bookshelf.shelf", "bookshelf.site", "bookshelf.covers", "bookshelf.cqrs", "bookshelf.media"),
        *("bookshelf.http.message", "bookshelf.http.multipart", "bookshelf.http.problem"),
    },
    "bookshelf.accounts.pages": {"bookshelf.accounts", "bookshelf.site", "bookshelf.cqrs"},
    "bookshelf.shop.pages": {
        *("bookshelf.shop", "bookshelf.site", "bookshelf.cqrs", "bookshelf.covers"),
        "bookshelf.http.multipart",
    },
    "bookshelf.photos.pages": {
        *("bookshelf.photos", "bookshelf.site", "bookshelf.cqrs"),
        "bookshelf.http.multipart",
    },
    # the ports and their adapters: none knows another
    "bookshelf.log": {"bookshelf.cqrs"},
    "bookshelf.discovery": {"bookshelf.cqrs", "bookshelf.concurrency", "bookshelf.http"},
    "bookshelf.storage": {"bookshelf.cqrs"},
    "bookshelf.keyring": {"bookshelf.cqrs.message"},
    # tools that know nothing of ours
    "bookshelf.concurrency": set(),
    "bookshelf.circuit_breaker": set(),
    "bookshelf.galera": set(),
    "bookshelf.http": set(),
    "bookshelf.media": {"bookshelf.http"},
    # what runs them
    "bookshelf.runtime": {
        *("bookshelf.cqrs", "bookshelf.log", "bookshelf.discovery", "bookshelf.storage"),
        *("bookshelf.concurrency", "bookshelf.circuit_breaker", "bookshelf.http", "bookshelf.media"),
        "bookshelf.keyring",
    },
    "gateway": {
        *("bookshelf.discovery", "bookshelf.runtime", "bookshelf.config"),
        *("bookshelf.concurrency", "bookshelf.circuit_breaker", "bookshelf.http"),
    },
    # what puts it together; of a context, the command line knows only its files and the check of its laws
    "bookshelf.services": {
        *("bookshelf.cqrs", "bookshelf.shelf", "bookshelf.accounts", "bookshelf.files", "bookshelf.shop"),
        *("bookshelf.photos", "bookshelf.config", "bookshelf.cluster"),
    },
    "bookshelf.cli": {
        *("bookshelf.services", "bookshelf.runtime", "bookshelf.config", "gateway", "bookshelf.cqrs"),
        *("bookshelf.log", "bookshelf.discovery", "bookshelf.storage", "bookshelf.shelf.library_files"),
        *("bookshelf.shop.check", "bookshelf.files.file", "bookshelf.shelf.events", "bookshelf.photos"),
        *("bookshelf.concurrency", "bookshelf.http", "bookshelf.media", "bookshelf.keyring"),
        *("bookshelf.galera", "bookshelf.cluster"),
    },
    # plays the story of one context
    "bookshelf.cli.demo": {
        *("bookshelf.cli", "bookshelf.services", "bookshelf.runtime", "bookshelf.config", "bookshelf.cqrs"),
        *("bookshelf.http", "bookshelf.accounts", "bookshelf.shop"),
    },
    "bookshelf.cli.demo_people": {
        "bookshelf.cli",
        "bookshelf.runtime",
        "bookshelf.cqrs",
        "bookshelf.http",
        "bookshelf.accounts",
    },
    "bookshelf.cli.demo_photos": {
        *("bookshelf.cli", "bookshelf.services", "bookshelf.runtime", "bookshelf.config", "bookshelf.cqrs"),
        "bookshelf.photos",
    },
    # measures all of it, starts what it measures as the command line does, and is no part of the product
    "bench": {
        *("bookshelf.services", "bookshelf.runtime", "bookshelf.config", "bookshelf.cqrs", "bookshelf.log"),
        *(
            "bookshelf.discovery",
            "bookshelf.storage",
            "bookshelf.shelf",
            "bookshelf.shop",
            "bookshelf.photos",
            "bookshelf.cli.embedded",
        ),
        *("bookshelf.cli.instance", "bookshelf.cli.command", "bookshelf.cli.domain"),
        *("bookshelf.cli.sessions", "bookshelf.cli.repository_folder"),
        *("bookshelf.http", "bookshelf.concurrency", "bookshelf.galera", "bookshelf.cluster", "gateway"),
    },
}


@pytest.fixture(scope="module")
def ours() -> list[Module]:
    return modules(ROOT)


def test_every_module_imports_only_what_its_part_may(ours: list[Module]) -> None:
    assert unlawful(ours, LAW) == []


def test_the_package_cqrs_is_pure(ours: list[Module]) -> None:
    assert any(part_of(module.name, LAW) == PURE for module in ours)
    assert impure(ours) == []


def test_no_import_cycle_exists(ours: list[Module]) -> None:
    assert cycle(ours) == []


def test_every_module_name_is_specific(ours: list[Module]) -> None:
    assert vague(ours) == []


def written(root: Path, **files: str) -> list[Module]:
    """Write modules, a__b for a/b.py, and read them as the laws do."""
    for name, text in files.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return modules(root, ("bookshelf",))


@pytest.mark.parametrize(
    "line",
    [
        "import bookshelf.runtime.edge",
        "from bookshelf.runtime import edge",
        "from bookshelf.runtime.edge import Edge",
        "from ..runtime import edge",
        "from gateway import app",
        "def late():\n    from bookshelf.cli import main",
    ],
)
def test_a_context_that_imports_the_runtime_is_detected(tmp_path: Path, line: str) -> None:
    found = written(tmp_path, bookshelf__runtime__edge="", bookshelf__shelf__book=line)
    assert len(unlawful(found, LAW)) == 1


@pytest.mark.parametrize(
    "line",
    ["from bookshelf import __version__", "from bookshelf.cqrs import Event", "from . import reading"],
)
def test_a_context_may_import_cqrs_itself_and_the_version(tmp_path: Path, line: str) -> None:
    found = written(tmp_path, bookshelf__shelf__book=line, bookshelf__shelf__reading="")
    assert unlawful(found, LAW) == []


def test_the_command_line_imports_only_the_files_of_a_context(tmp_path: Path) -> None:
    text = "from bookshelf.shelf import library_files\nfrom bookshelf.shelf import book"
    shelf = {"bookshelf__shelf__library_files": "", "bookshelf__shelf__book": ""}
    [said] = unlawful(written(tmp_path, bookshelf__cli__up=text, **shelf), LAW)
    assert said.startswith("bookshelf.cli.up:2 imports bookshelf.shelf.book;")


def test_a_part_without_a_line_is_reported_with_the_table(tmp_path: Path) -> None:
    [said] = unlawful(written(tmp_path, bookshelf__garden__order=""), LAW)
    assert said.startswith("bookshelf.garden.order has no line in the import law: add one to LAW in test/")


@pytest.mark.parametrize(
    "line",
    [
        "import asyncio",
        "import os.path",
        "from time import monotonic",
        "import aiohttp",
        "id = uuid.uuid4()",
        "when = datetime.now(UTC)",
        "open('x')",
    ],
)
def test_an_impure_import_of_cqrs_is_detected(tmp_path: Path, line: str) -> None:
    assert len(impure(written(tmp_path, bookshelf__cqrs__event=line))) == 1


def test_an_import_cycle_for_types_only_is_detected(tmp_path: Path) -> None:
    one = "if TYPE_CHECKING:\n    from bookshelf.two import x"
    found = written(tmp_path, bookshelf__one=one, bookshelf__two="from . import one")
    assert set(cycle(found)) == {"bookshelf.one", "bookshelf.two"}


def test_an_unspecific_module_name_is_detected(tmp_path: Path) -> None:
    found = written(tmp_path, bookshelf__log__utils="", bookshelf__common__x="", bookshelf__log__port="")
    assert vague(found) == ["bookshelf.common.x", "bookshelf.log.utils"]


def test_a_folder_without_modules_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no Python files in bookshelf/"):
        written(tmp_path)
