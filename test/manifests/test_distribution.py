"""The distribution's name; nothing installs `bookshelf`, which is another project on the package index."""

import re
import subprocess
import tomllib

import pytest
from architecture.source import kept
from support.process import ROOT, environment

from bookshelf.config import DISTRIBUTION, missing_extra

#: What would fetch another project: the name alone is given to an installer, or it has extras, or metadata.
_FETCHES = re.compile(
    r"\b(?:pip3?|pipx|uv|uvx|poetry|conda)\b[^\n`]*?\b(?:install|add|run|download)\b[^\n`]*?"
    r"(?<![\w./\\-])bookshelf(?![\w./\\-])"
    r"|(?<![\w.])bookshelf\[[a-z]"
    r"|\b(?:requires|version|metadata|distribution|files)\(\s*[\"']bookshelf[\"']"
)


@pytest.mark.parametrize(
    "text",
    [
        "pip install bookshelf",
        "python -m pip install --upgrade 'bookshelf[kafka]'",
        "pipx run bookshelf up",
        "needs `bookshelf[redis]`",
        'version("bookshelf")',
    ],
)
def test_the_pattern_finds_commands_that_would_install_another_project(text: str) -> None:
    assert _FETCHES.search(text)


@pytest.mark.parametrize(
    "text",
    [
        "pipx install dist/bookshelf_microservices-*.whl",
        "pip uninstall --yes bookshelf",
        "/opt/bookshelf/bin/pip install .",
    ],
)
def test_the_pattern_lets_other_commands_pass(text: str) -> None:
    assert not _FETCHES.search(text)


def test_no_file_refers_to_the_distribution_of_another_project() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in kept(ROOT)
        if path.name != "test_distribution.py" and path.suffix not in {".sqlite", ".png", ".ico"}
        for match in _FETCHES.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert found == []


def test_the_project_has_one_distribution_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == DISTRIBUTION == "bookshelf-microservices"
    assert [
        one for one in project["optional-dependencies"]["dev"] if not one.startswith(f"{DISTRIBUTION}[")
    ] == []
    assert list(project["scripts"]) == ["bookshelf"]


def test_a_hint_names_the_packages_of_an_extra() -> None:
    hint = str(missing_extra("a log on Kafka", ModuleNotFoundError(name="aiokafka"), "kafka"))
    assert hint.startswith("a log on Kafka needs aiokafka, which is not installed: ")
    assert hint.endswith(" -m pip install 'aiokafka<0.15,>=0.14'")


def test_a_hint_works_without_metadata_of_an_installation() -> None:
    fault = ModuleNotFoundError(name="aiokafka")
    hint = str(missing_extra("a log on Kafka", fault, "kafka", distribution="no-such-distribution"))
    assert hint.endswith(" -m pip install aiokafka")


def test_make_setup_removes_the_former_distribution_before_it_installs() -> None:
    dry = ["make", "--dry-run", "--what-if=pyproject.toml", "setup"]
    done = subprocess.run(dry, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    removes, installs = (
        done.stdout.index("uninstall --yes bookshelf"),
        done.stdout.index("install --editable"),
    )
    assert removes < installs
