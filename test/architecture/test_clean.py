"""What is kept names no registry and no folder of anybody's machine: it builds anywhere."""

import re
import subprocess
from pathlib import Path

import pytest
from architecture.source import ROOT, kept

FORBIDDEN = {
    "a registry's host": re.compile(
        r"\b(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com|unpkg\.com|jsdelivr\.net"
        r"|(?:repo1?\.)?maven\.(?:org|apache\.org)|(?:deb|ftp|security|snapshot)\.debian\.org"
        r"|archive\.ubuntu\.com|(?:hub|index|registry-1|registry\.hub)\.docker\.(?:com|io)"
        r"|ghcr\.io|quay\.io|gcr\.io|crates\.io|rubygems\.org|proxy\.golang\.org|conda\.anaconda\.org)\b",
        re.IGNORECASE,
    ),
    "a folder of one machine": re.compile(r"(?<![\w.~*})-])/(?:work|root|home|Users)/|\b[A-Z]:\\+Users\b"),
}


def unclean(paths: list[Path]) -> list[str]:
    """Return the forbidden names in the text files among these, with their lines."""
    said = []
    for path in paths:
        data = path.read_bytes()
        if b"\0" in data:
            continue
        for number, line in enumerate(data.decode(errors="replace").splitlines(), start=1):
            said += [
                f"{path}:{number} names {what}" for what, pattern in FORBIDDEN.items() if pattern.search(line)
            ]
    return said


def test_no_kept_file_names_a_registry_or_a_machine() -> None:
    paths = kept(ROOT)
    assert Path(__file__) in paths
    assert unclean(paths) == []


@pytest.mark.parametrize(
    "line",
    [
        "pip install -i https://{}.org/simple".format("pypi"),
        "registry: https://registry.{}.org".format("npmjs"),
        "FROM {}.io/books".format("ghcr"),
        "deb http://deb.{}.org/ stable main".format("debian"),
        "cd /{}/books".format("home"),
        "'/{}/books'".format("work"),
        r"C:\{}\me".format("Users"),
    ],
)
def test_a_forbidden_name_is_detected(tmp_path: Path, line: str) -> None:
    file = tmp_path / "README"
    file.write_text(f"clean\n{line}\n")
    assert len(unclean([file])) == 1
    assert unclean([file])[0].startswith(f"{file}:2 names")


@pytest.mark.parametrize(
    "line",
    [
        "apt-get install {}.io".format("docker"),
        "~/{}/x".format("home"),
        "src/{}/x".format("work"),
        "GET /{}/1".format("homes"),
    ],
)
def test_a_similar_name_is_allowed(tmp_path: Path, line: str) -> None:
    file = tmp_path / "README"
    file.write_text(line)
    assert unclean([file]) == []


def test_a_new_file_is_kept_and_an_ignored_one_is_not(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / ".gitignore").write_text("ignored\n")
    (tmp_path / "ignored").write_text("x")
    assert kept(tmp_path) == [tmp_path / ".gitignore"]
