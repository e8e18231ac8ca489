"""docs/add-a-service.md is true: its example is added to a copy of the project, is tested there, and runs."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.client import Client
from support.doc_blocks import apply_block, copy_of_the_project, page_blocks
from support.process import bookshelf, environment
from support.program import Program
from support.until import until

#: It runs the unit tests and the architecture tests of the copy.
pytestmark = pytest.mark.timeout(600)
BLOCKS = list(page_blocks())
MANIFEST_TESTS = ("make_manifests", "inventory", "compose", "marathon", "network", "schemas")
COMMANDS = [block.text for block in BLOCKS if block.kind == "sh"]


@pytest.fixture(scope="module", name="extended")
def extended_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy, with every block of the page that changes a file applied."""
    root = copy_of_the_project(tmp_path_factory.mktemp("extended"))
    for block in BLOCKS:
        if block.kind != "sh":
            apply_block(root, block)
    return root


def run_in(root: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command in the copy, with the copy's modules."""
    env = environment({"PYTHONPATH": str(root)})
    return subprocess.run(
        ["sh", "-euc", command], cwd=root, env=env, capture_output=True, text=True, timeout=540, check=False
    )


@pytest.fixture(scope="module", name="lending")
def lending_shelf(extended: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """`bookshelf up` of the copy."""
    env = {"PYTHONPATH": str(extended), "PYTHONSAFEPATH": "1"}
    with Program(tmp_path_factory.mktemp("lending") / "data", env=env) as program:
        yield program.ready()
        assert program.stop().well


def test_every_block_of_the_page_is_applied_or_executed() -> None:
    assert {block.kind for block in BLOCKS} == {"diff", "json", "python", "sh"}
    assert all(block.path for block in BLOCKS if block.kind != "sh")
    assert len(COMMANDS) == 3


def test_the_example_passes_its_own_tests_and_those_of_the_project(extended: Path) -> None:
    done = run_in(extended, COMMANDS[0])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.needs("curl")
def test_the_example_answers_and_its_events_are_in_the_history(lending: Program) -> None:
    done = run_in(lending.data.parent, COMMANDS[1].replace("localhost:8000", lending.note.url))
    assert done.returncode == 0, done
    client = lending.client
    until(lambda: len(client.get("/loans").json) == 1, "the view has the loan")
    [loan] = client.get("/loans").json
    assert loan["to"] == "Ann"
    history = f"/books/{loan['id']}/history"
    until(lambda: len(client.get(history).json) == 2, "the history has both events")
    types = [event["type"] for event in client.get(history).json]
    assert types == ["shelf.book-added.v1", "shelf.book-lent.v1"]


def test_if_match_accepts_the_entity_tag_of_a_book_with_a_new_event(lending: Program) -> None:
    client = lending.client
    path = f"/books/{client.add('Emma')['id']}"
    assert client.post(f"{path}/lent", {"to": "Bob"}).status == 204
    assert client.patch(path, {"pages": 400}, If_Match=client.get(path).headers["etag"]).status == 200


def test_the_gateway_s_api_docs_have_the_example(lending: Program) -> None:
    paths = Client(lending.note.url).get("/openapi.json").json["paths"]
    assert {"/books/{id}/lent", "/books/{id}/returned", "/loans"} <= {
        path.removeprefix("/bookshelf") for path in paths
    }


@pytest.mark.slow
def test_a_manifest_without_the_service_is_named_with_what_to_do(extended: Path) -> None:
    done = run_in(extended, ".venv/bin/python -m pytest -q test/manifests -k lending")
    assert done.returncode == 1, done.stdout
    assert "docs/add-a-service.md, section 6" in done.stdout


@pytest.mark.slow
def test_the_manifests_are_complete_after_one_command(extended: Path, tmp_path: Path) -> None:
    """Run it in a copy of the copy, whose environment counts as installed; then the tests of manifests."""
    root = tmp_path / "written"
    shutil.copytree(extended, root, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    command = COMMANDS[2].replace("make ", "make --old-file=.venv/.runtime-installed ")
    done = run_in(root, command)
    assert done.returncode == 0, done.stdout + done.stderr
    written = {"marathon/lending.json", "kube/base/lending.yaml", "docs/schemas/shelf.book-lent.v1.json"}
    assert written <= set(done.stdout.split())
    files = [f"test/manifests/test_{name}.py" for name in MANIFEST_TESTS]
    table = "test/system/test_readme.py::test_the_readme_s_table_of_services_equals_services_py"
    done = run_in(root, f".venv/bin/python -m pytest -q {' '.join(files)} {table}")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("command", [("up", "--port", "0"), ("run", "newbook")])
def test_two_services_on_one_port_are_refused_at_the_start(
    extended: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    for package in ("bookshelf", "gateway"):
        shutil.copytree(extended / package, tmp_path / package)
    table = tmp_path / "bookshelf" / "services.py"
    table.write_text(table.read_text(encoding="utf-8").replace("port=8110", "port=8081"), encoding="utf-8")
    env = {"PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"}
    said = bookshelf(*command, "--data", tmp_path / "data", env=env).complaint
    assert said.endswith("newbook and lending both claim the port 8081; change one of them")
