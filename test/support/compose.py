"""docker-compose on the project's own file."""

import json
from typing import Any
from uuid import uuid4

from support.docker import Docker
from support.process import ROOT
from support.until import until


class Compose:
    """One project, by any name, so that what it makes is its own."""

    def __init__(self, docker: Docker) -> None:
        self._docker = docker
        self._name = f"shelf{uuid4().hex[:6]}"

    def __call__(self, *args: str) -> str:
        """Run a docker-compose command."""
        return self._docker.run("docker-compose", "--project-name", self._name, *args, cwd=ROOT)

    def containers(self, service: str = "") -> list[str]:
        """Return the ids of a service's containers, or of all."""
        return self("ps", "--quiet", *([service] if service else [])).split()

    def states(self, service: str = "") -> list[dict[str, Any]]:
        """Return what the daemon says of them."""
        found = (
            self._docker("inspect", "--format", "{{json .State}}", one) for one in self.containers(service)
        )
        return [json.loads(one) for one in found]

    def healthy(self, service: str = "", count: int = 1) -> None:
        """Wait until that many containers at least are there, and all are healthy."""

        def well() -> bool:
            found = [state["Health"]["Status"] for state in self.states(service)]
            return len(found) >= count and set(found) == {"healthy"}

        until(well, f"{service or 'every container'} is healthy", 120)

    def kill(self, service: str) -> None:
        """Kill the first container of a service as a power cut would; its policy starts it again."""
        process = self._docker("inspect", "--format", "{{.State.Pid}}", self.containers(service)[0])
        self._docker.run("kill", "-KILL", process)
