"""`make manifests`: every manifest and every table of ports follows from bookshelf/services.py."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from support.process import ROOT
from write_manifests import render

from bookshelf.services import DEPLOYED, SERVICES

SCRIPT = ROOT / "packaging" / "write_manifests.py"
#: Files that the script only changes a line or a table of.
CHANGED = {"Dockerfile", "README.rst", "docs/deployment.md", "vagrant/post"}
[_VIEW] = [service for service in SERVICES if service.name == "booklist"]
ADDED = replace(_VIEW, name="borrowing", summary="Books | lent", tags=("books", "lent"), port=18123)


@pytest.fixture(scope="module")
def extended() -> dict[str, str]:
    """Each file, with one service more than there are."""
    return render((*SERVICES, ADDED), ROOT)


def test_every_file_equals_the_output_of_make_manifests(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SCRIPT), "--into", str(tmp_path)], check=True, timeout=60)
    written = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*") if path.is_file()}
    assert written.keys() == render(SERVICES, ROOT).keys()
    assert written.keys() >= {"docker-compose.yml", "kube.yaml", "kube/base/network.yaml", *CHANGED}
    different = [name for name, path in written.items() if path.read_bytes() != (ROOT / name).read_bytes()]
    assert different == [], "run `make manifests`; what you changed belongs in packaging/manifests/"
    assert (tmp_path / "vagrant" / "post").stat().st_mode == (ROOT / "vagrant" / "post").stat().st_mode


def test_no_file_of_a_removed_service_is_left() -> None:
    written = render(SERVICES, ROOT)
    apps = {f"marathon/{path.name}" for path in (ROOT / "marathon").iterdir()}
    assert apps - written.keys() == {f"marathon/{name}.json" for name in ("api-gateway", "consul", "kafka")}
    static = {"db", "disco", "events", "gateway", "namespace", "postgres"}
    base = {f"kube/base/{path.name}" for path in (ROOT / "kube" / "base").iterdir()}
    assert base - written.keys() == {f"kube/base/{name}.yaml" for name in static}


def test_one_more_service_is_in_every_file(extended: dict[str, str]) -> None:
    others = {f"kube/base/{service.name}.yaml" for service in DEPLOYED}
    others |= {name for name in extended if name.startswith("marathon/")} - {"marathon/borrowing.json"}
    named = {name for name, text in extended.items() if re.search(r"\b(borrowing|18123)\b", text)}
    assert named == extended.keys() - others
    for name in others:
        assert extended[name] == (ROOT / name).read_text(encoding="utf-8")


def test_the_manifests_of_one_more_service_are_those_of_the_others(extended: dict[str, str]) -> None:
    compose = yaml.safe_load(extended["docker-compose.yml"])["services"]
    assert compose["borrowing"] == {
        **compose["booklist"],
        "command": ["run", "borrowing", "--tags", "books,lent"],
        "healthcheck": {"test": ["CMD", "bookshelf", "health", "--port", "18123"]},
    }
    assert "127.0.0.1:18123:18123" in compose["ports"]["ports"]
    assert "borrowing=borrowing" in compose["ports"]["command"]
    assert "borrowing" in compose["newbook"]["environment"]["BOOKSHELF_ALLOWED_HOSTS"].split(",")
    alike = extended["kube/base/booklist.yaml"].replace("books,list", "books,lent")
    alike = alike.replace("booklist", "borrowing").replace("8084", "18123")
    assert extended["kube/base/borrowing.yaml"] == alike
    assert json.loads(extended["marathon/borrowing.json"])["portDefinitions"][0]["port"] == 18123
    policies = [one for one in yaml.safe_load_all(extended["kube.yaml"]) if one["kind"] == "NetworkPolicy"]
    opened = [one["metadata"]["name"] for one in policies if "18123" in json.dumps(one)]
    assert opened == ["gateway", "services"]


def test_lines_and_tables_are_changed_in_their_places(extended: dict[str, str]) -> None:
    assert re.search(r"^EXPOSE 8000 .*\b18123$", extended["Dockerfile"], re.MULTILINE)
    for name in ("vagrant/post", "docs/deployment.md"):
        assert " borrowing api-gateway; do" in extended[name]
    assert re.search(r"^borrowing +books, lent +18123  Books | lent$", extended["README.rst"], re.MULTILINE)
    assert "| `borrowing` | books, lent | 18123 | Books \\| lent |\n" in extended["docs/deployment.md"]


def test_writing_again_removes_the_lines_of_a_removed_service(
    extended: dict[str, str], tmp_path: Path
) -> None:
    write_over = render(SERVICES, _copy(extended, tmp_path))
    for name in CHANGED:
        assert write_over[name] == (ROOT / name).read_text(encoding="utf-8")


def test_a_file_without_the_line_to_change_is_named(tmp_path: Path) -> None:
    root = _copy({"Dockerfile": "FROM scratch\n"}, tmp_path)
    with pytest.raises(SystemExit, match=r"^Dockerfile has 0 places, not 1, for: EXPOSE"):
        render(SERVICES, root)


@pytest.mark.parametrize("name", ["Borrowing", "borrow_ing", "9lives"])
def test_a_name_that_kubernetes_does_not_accept_is_refused(name: str) -> None:
    with pytest.raises(SystemExit, match=f"the name {name!r} does not fit"):
        render((*SERVICES, replace(ADDED, name=name)), ROOT)


def _copy(files: dict[str, str], root: Path) -> Path:
    """Return a folder with what the script reads, and with these files on top."""
    read = ["kube", "packaging", *CHANGED]
    names = [
        path
        for name in read
        for path in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*"))
    ]
    texts = {
        str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
        for path in names
        if path.is_file() and "__pycache__" not in path.parts
    }
    for name, text in (texts | files).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root
