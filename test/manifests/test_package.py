"""The wheel and the source archive: well made, small, whole; in an empty environment, they run."""

import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
from support.built import build, only
from support.kafka import free_ports
from support.process import ROOT
from support.until import until

_LIMIT = 5_000_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, made of what git keeps."""
    place = tmp_path_factory.mktemp("dist")
    build(place)
    return place


def test_both_are_as_registries_want_them(built: Path) -> None:
    check = [sys.executable, "-m", "twine", "check", "--strict"]
    subprocess.run([*check, only(built, "*.whl"), only(built, "*.tar.gz")], check=True, capture_output=True)
    contents = [sys.executable, "-m", "check_wheel_contents", str(only(built, "*.whl"))]
    done = subprocess.run(contents, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_both_are_small_and_whole(built: Path) -> None:
    wheel, archive = only(built, "*.whl"), only(built, "*.tar.gz")
    assert max(wheel.stat().st_size, archive.stat().st_size) < _LIMIT
    with ZipFile(wheel) as file:
        names = set(file.namelist())
    modules = {
        str(path.relative_to(ROOT))
        for name in ("bookshelf", "gateway")
        for path in (ROOT / name).rglob("*.py")
    }
    assert {"gateway/swagger/index.html", "bookshelf/py.typed", *modules} <= names
    assert not any(name.startswith("test") for name in names)
    with tarfile.open(archive) as packed:
        assert any(name.endswith("/bookshelf/services.py") for name in packed.getnames())


def test_the_wheel_runs_in_an_environment_of_its_own(built: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True, symlinks=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--quiet", "install"]
    locked = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([*pip, *locked, str(only(built, "*.whl"))], check=True, capture_output=True, timeout=300)
    program = str(environment / "bin" / "bookshelf")
    port = free_ports(1)[0]
    ports = ["--port", str(port), "--service-ports", "auto"]
    shelf = subprocess.Popen([program, "up", "--data", str(tmp_path / "data"), *ports], cwd=tmp_path)
    asked = [program, "health", "--port", str(port)]
    try:
        until(lambda: subprocess.run(asked, check=False, capture_output=True).returncode == 0, "it is well")
    finally:
        shelf.terminate()
    assert shelf.wait(30) == 0
