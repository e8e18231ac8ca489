"""A Docker daemon of the tests' own: with its own socket, images and networks."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from support.kafka_files import cache as kafka_cache
from support.until import until

REMEDY = "as root: apt-get install -y --no-install-recommends docker.io docker-compose debootstrap iptables"
#: Seconds that one command may take: a build installs packages.
_COMMAND_S = 600.0


def available() -> bool:
    """Whether a daemon can be started here."""
    programs = ("dockerd", "docker", "docker-compose", "debootstrap", "iptables")
    return os.geteuid() == 0 and all(shutil.which(name) for name in programs)


def cache_folder() -> Path:
    """The folder for images, kept between runs."""
    return kafka_cache().parents[1] / "docker"


class Docker:
    """A running daemon, and its command line."""

    def __init__(self, socket: Path) -> None:
        # the old builder: it is in every client, the new one in none without a plugin
        own = {"DOCKER_HOST": f"unix://{socket}", "DOCKER_BUILDKIT": "0", "COMPOSE_DOCKER_CLI_BUILD": "0"}
        self.environment = {**os.environ, **own}

    def __call__(self, *args: str | Path) -> str:
        """Run a docker command and return what it prints. Raises AssertionError with what it complains of."""
        return self.run("docker", *args)

    def run(self, *command: str | Path, cwd: Path | None = None) -> str:
        """Run any command that talks to this daemon."""
        return self.output(*command, cwd=cwd).stdout.strip()

    def output(
        self, *command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run any command that talks to this daemon; return what it wrote to both outputs."""
        done = subprocess.run(
            [str(part) for part in command],
            env={**self.environment, **(env or {})},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        return done

    def inside(self, container: str, script: str) -> str:
        """Return what a script prints in a container; nothing if it fails, or the container is gone."""
        done = subprocess.run(
            ["docker", "exec", container, "sh", "-c", script],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )
        return done.stdout.strip() if done.returncode == 0 else ""

    def has(self, image: str) -> bool:
        """Whether an image is there already."""
        return bool(self("images", "--quiet", image))


@contextmanager
def daemon() -> Iterator[Docker]:
    """Run a daemon that is ended at the end, with all its containers; its images stay."""
    data = cache_folder() / "data"
    data.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="bookshelf-docker-") as folder,
        _process(Path(folder), data) as docker,
    ):
        until(lambda: _answers(docker), "the Docker daemon answers")
        _remove_containers(docker)
        try:
            yield docker
        finally:
            _remove_containers(docker)


@contextmanager
def _process(folder: Path, data: Path) -> Iterator[Docker]:
    options = ["--data-root", data, "--exec-root", folder / "exec", "--pidfile", folder / "pid"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["dockerd", "-H", f"unix://{folder / 'socket'}", *map(str, options)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield Docker(folder / "socket")
    finally:
        process.terminate()
        process.wait(60)
        subprocess.run(["umount", "-q", str(folder / "exec" / "netns" / "default")], check=False)


def _answers(docker: Docker) -> bool:
    asked = ["docker", "version"]
    return subprocess.run(asked, env=docker.environment, capture_output=True, check=False).returncode == 0


def _remove_containers(docker: Docker) -> None:
    """Remove what this run, or a run that was killed, has left."""
    if left := docker("ps", "--all", "--quiet").split():
        docker("rm", "--force", "--volumes", *left)
    docker("volume", "prune", "--force")
    docker("network", "prune", "--force")
