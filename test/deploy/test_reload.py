"""Live reload, as docker-compose.dev.yml has it: a change of the mounted sources starts the program anew."""

import shutil
from pathlib import Path

import pytest
import yaml
from support.compose import FIRST, SECOND, Compose, Generation
from support.docker import Docker
from support.manifests import documents
from support.process import ROOT
from support.until import until

pytestmark = pytest.mark.deploy


@pytest.mark.parametrize("generation", [FIRST, SECOND], ids=lambda one: one.name)
def test_compose_accepts_both_files_together(docker: Docker, generation: Generation) -> None:
    files = [Path("docker-compose.yml"), Path("docker-compose.dev.yml")]
    services = yaml.safe_load(Compose(docker, generation, *files)("config"))["services"]
    ours = [one for one in services.values() if one["image"] == "bookshelf:dev"]
    others = {"kafka", "consul", "postgres", "db"}
    assert len(ours) == len(services.keys() - others)
    assert [one["build"]["target"] for one in ours if "build" in one] == ["dev"]


def test_a_change_of_the_sources_restarts_the_program(docker: Docker, tmp_path: Path) -> None:
    [overrides] = documents(ROOT / "docker-compose.dev.yml")
    [target] = [one["build"]["target"] for one in overrides["services"].values() if "build" in one]
    docker.run("docker", "build", "--target", target, "--tag", "bookshelf:dev", ".", cwd=ROOT)
    sources = tmp_path / "bookshelf"
    shutil.copytree(ROOT / "bookshelf", sources, ignore=shutil.ignore_patterns("__pycache__"))
    tmp_path.chmod(0o755)
    run = ["run", "--detach", "--volume", f"{sources}:/src/bookshelf:ro", "bookshelf:dev"]
    name = docker(*run, "bookshelf up", "/src/bookshelf")

    def starts() -> int:
        return docker("logs", name).count("Your shelf:")

    until(lambda: starts() == 1, "the shelf is ready")
    with (sources / "services.py").open("a") as module:
        module.write("\n# changed\n")
    until(lambda: starts() == 2, "it is ready again")
    docker("stop", "--time", "30", name)
    assert docker("logs", name).count("Stopping.") == 2
