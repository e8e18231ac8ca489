"""swarm/: every service in the stack, a gateway on each machine, and machines that are joined once."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support.manifests import Document, compose, option
from support.process import ROOT

from bookshelf import __version__
from bookshelf.cqrs.service import Service
from bookshelf.services import DEPLOYED, SERVICES

_FOLDER = ROOT / "swarm"


def read(name: str) -> Document:
    found: Document = yaml.safe_load((_FOLDER / name).read_text(encoding="utf-8"))
    return found


STACK: dict[str, Document] = read("stack.yml")["services"]
_TMP = {"type": "tmpfs", "target": "/tmp"}  # noqa: S108 (of a container)
_MANAGER = {"constraints": ["node.role == manager"]}


@pytest.mark.parametrize("service", DEPLOYED, ids=lambda service: str(service.name))
def test_the_stack_has_every_service(service: Service) -> None:
    found = STACK[service.name]
    assert found["command"][:2] == ["run", service.name]
    assert option(found["command"], "--tags") == ",".join(service.tags)
    assert found["healthcheck"]["test"][-1] == str(service.port)
    # no port but the gateway's is open
    assert "ports" not in found
    if service.keeps_files:
        assert found["volumes"] == [_TMP, f"{service.name}:/data"]
        assert found["deploy"]["placement"] == _MANAGER
        assert found["deploy"]["update_config"]["order"] == "stop-first"


def test_nothing_else_is_in_the_stack() -> None:
    of_a_domain = {service.name for service in SERVICES if service.needs_domain}
    assert STACK.keys() == compose()["services"].keys() - {"ports"} - of_a_domain


@pytest.mark.parametrize("name", STACK)
def test_each_container_is_restarted_limited_and_without_privileges(name: str) -> None:
    found = STACK[name]
    assert found["cap_drop"] == ["ALL"]
    assert ("cap_add" in found) is (name in {"consul", "postgres"})
    assert found.get("read_only", False) is (name not in {"consul", "kafka", "postgres"})
    # a Swarm does not heed `tmpfs:`
    assert "tmpfs" not in found
    assert (_TMP in found.get("volumes", ())) is found.get("read_only", False)
    assert found["deploy"]["restart_policy"]["condition"] == "any"
    assert found["deploy"]["resources"]["limits"]["memory"]
    assert found["logging"]["options"].keys() == {"max-size", "max-file"}
    assert found["image"].replace("${BOOKSHELF_VERSION:-", "").rstrip("}") in {
        *(f"bookshelf:{__version__}", f"bookshelf-mariadb:{__version__}"),
        *(one["image"] for one in compose()["services"].values()),
    }


def test_the_gateway_runs_on_every_machine_and_opens_two_ports_by_ingress() -> None:
    gateway = STACK["gateway"]
    assert gateway["deploy"]["mode"] == "global"
    opened = [(port["published"], port["target"], port["mode"]) for port in gateway["ports"]]
    assert opened == [(8000, 8000, "ingress"), (4999, 8000, "ingress")]
    assert [name for name, one in STACK.items() if "ports" in one] == ["gateway"]


def test_on_one_machine_its_own_ports_are_open() -> None:
    override = read("one-machine.yml")["services"]
    assert override.keys() == {"gateway"}
    assert {port["mode"] for port in override["gateway"]["ports"]} == {"host"}
    assert override["gateway"]["deploy"] == {"endpoint_mode": "dnsrr"}


def test_names_lead_to_tasks_and_not_to_a_virtual_address() -> None:
    modes = {name: one["deploy"].get("endpoint_mode") for name, one in STACK.items() if name != "gateway"}
    assert set(modes.values()) == {"dnsrr"}, modes


def can_read_stacks() -> bool:
    asked = ["docker", "stack", "config", "--help"]
    return shutil.which("docker") is not None and (
        "--compose-file" in subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    )


@pytest.mark.skipif(not can_read_stacks(), reason="this docker reads no stack without a daemon")
@pytest.mark.parametrize("files", [("stack.yml",), ("stack.yml", "one-machine.yml")], ids=len)
def test_docker_reads_the_stack(files: tuple[str, ...]) -> None:
    command = ["docker", "stack", "config", *(part for one in files for part in ("-c", str(_FOLDER / one)))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ports = yaml.safe_load(done.stdout)["services"]["gateway"]["ports"]
    assert {port["mode"] for port in ports} == {"host" if len(files) > 1 else "ingress"}


#: Each machine is a folder; its docker remembers there whether it is a member, and which images it has.
_SSH = """#!/bin/sh
[ "$1" = -o ] && shift 2
machine=$1
shift
mkdir -p "$STATE/$machine"
cd "$STATE/$machine" && exec sh -c "$*"
"""
_DOCKER = """#!/bin/sh
echo "$(basename "$PWD"): $*" >> "$STATE/calls"
case "$1 $2" in
  "info --format") [ -e member ] && echo active || echo inactive ;;
  "image inspect") grep -qx "$3" images ;;
  "save "*) echo "$2" ;;
  "load --quiet") cat >> images ;;
  "swarm init") touch member ;;
  "swarm join-token") echo a-token ;;
  "swarm join") touch member ;;
  "node ls") ls "$STATE" ;;
esac
"""


def machines(tmp_path: Path, *names: str) -> list[str]:
    """Run the script; return what was asked of each docker, questions apart."""
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    for name, text in {
        "ssh": _SSH,
        "docker": _DOCKER,
        "hostname": "#!/bin/sh\necho 10.0.0.1 172.17.0.1\n",
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (tmp_path / "state").mkdir(exist_ok=True)
    calls = tmp_path / "state" / "calls"
    calls.unlink(missing_ok=True)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "STATE": str(tmp_path / "state")}
    done = subprocess.run(
        [str(_FOLDER / "machines"), *names],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    asked = ("info", "image inspect", "swarm join-token", "node ls")
    return [line for line in calls.read_text().splitlines() if not line.partition(": ")[2].startswith(asked)]


def test_machines_are_given_the_images_and_joined_once(tmp_path: Path) -> None:
    made = machines(tmp_path, "boss", "one", "two")
    swarm = [line for line in made if "swarm" in line]
    assert swarm == [
        "boss: swarm init --advertise-addr 10.0.0.1",
        "one: swarm join --token a-token 10.0.0.1:2377",
        "two: swarm join --token a-token 10.0.0.1:2377",
    ]
    assert sum("load" in line for line in made) == 6
    # again, with one machine more: only that one is new
    again = machines(tmp_path, "boss", "one", "two", "three")
    assert [line for line in again if ": save " not in line] == [
        *("three: load --quiet", "three: load --quiet"),
        "three: swarm join --token a-token 10.0.0.1:2377",
    ]
    assert machines(tmp_path, "boss", "one", "two", "three") == []


def test_without_machines_the_script_states_how_it_is_called(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(_FOLDER / "machines")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (2, "usage: swarm/machines MANAGER WORKER...\n")


def test_the_vagrantfile_is_five_machines_in_a_network_of_their_own() -> None:
    text = (_FOLDER / "Vagrantfile").read_text(encoding="utf-8")
    assert "(1..5).each" in text
    assert re.findall(r'"(\w+_network)"', text) == ["private_network"]
    assert "forwarded_port" not in text
    assert "Not run in CI" in text


def test_the_docs_state_that_ingress_was_not_run() -> None:
    assert "**Ingress was not run**" in (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")


def test_volumes_are_declared() -> None:
    used = {
        one.partition(":")[0]
        for service in STACK.values()
        for one in service.get("volumes", ())
        if one != _TMP
    }
    assert used == read("stack.yml")["volumes"].keys()
