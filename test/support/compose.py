"""docker-compose on the project's own file."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple
from uuid import uuid4

from support.compose_plugins import docker_config
from support.docker import Docker
from support.process import ROOT
from support.until import until


class Generation(NamedTuple):
    """One of the two programs that read docker-compose.yml, and the environment that it needs."""

    name: str
    command: tuple[str, ...]
    environment: Callable[[], Mapping[str, str]]


def _plugins() -> Mapping[str, str]:
    return {"DOCKER_CONFIG": str(docker_config()), "DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"}


FIRST = Generation("docker-compose 1.29", ("docker-compose",), dict)
SECOND = Generation("docker compose v2", ("docker", "compose"), _plugins)


class Compose:
    """One project, by any name, so that what it makes is its own."""

    def __init__(
        self, docker: Docker, generation: Generation = FIRST, *files: Path, profiles: Sequence[str] = ()
    ) -> None:
        self._docker = docker
        self._name = f"shelf{uuid4().hex[:6]}"
        self._environment = generation.environment()
        self._command = [*generation.command, "--project-name", self._name]
        self._command += [f"--file={file}" for file in files]
        for profile in profiles:
            self._command += ["--profile", profile]

    def __call__(self, *args: str) -> str:
        """Run a command of compose; return its standard output."""
        return self._run(*args).stdout.strip()

    def docker_output(self, *args: str) -> str:
        """Run a command of compose; return both outputs."""
        done = self._run(*args)
        return done.stdout + done.stderr

    def _run(self, *args: str) -> CompletedProcess[str]:
        return self._docker.output(*self._command, *args, cwd=ROOT, env=self._environment)

    def containers(self, service: str = "") -> list[str]:
        """Return the ids of a service's containers, or of all."""
        return self("ps", "--quiet", *([service] if service else [])).split()

    def states(self, service: str = "") -> list[dict[str, Any]]:
        """Return the daemon's state of them."""
        found = (
            self._docker("inspect", "--format", "{{json .State}}", one) for one in self.containers(service)
        )
        return [json.loads(one) for one in found]

    def healthy(self, service: str = "", count: int = 1) -> None:
        """Wait until that many containers at least are there, and all are healthy."""

        def well() -> bool:
            found = [state["Health"]["Status"] for state in self.states(service)]
            return len(found) >= count and set(found) == {"healthy"}

        until(well, f"{service or 'every container'} is healthy", 600)

    def kill(self, service: str) -> None:
        """Kill the first container of a service as a power cut would; its policy starts it again."""
        process = self._docker("inspect", "--format", "{{.State.Pid}}", self.containers(service)[0])
        self._docker.run("kill", "-KILL", process)
