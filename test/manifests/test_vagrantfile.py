"""The Vagrantfile: one small machine, documented ports on loopback, and the word that CI does not run it."""

import re

import pytest
from support.manifests import marathon
from support.process import ROOT

_FILE = (ROOT / "Vagrantfile").read_text(encoding="utf-8")


def test_the_vagrantfile_is_one_machine_of_one_cpu_and_3_gb() -> None:
    assert "config.vm.define" not in _FILE
    assert set(re.findall(r"machine\.cpus = (\d+)", _FILE)) == {"1"}
    assert set(re.findall(r"machine\.memory = (\d+)", _FILE)) == {"3072"}


def test_every_fixed_port_of_an_app_is_forwarded() -> None:
    listed = re.search(r"\[([\d, ]+)\]\.each", _FILE)
    assert listed is not None
    fixed = {
        port["port"]
        for app in marathon().values()
        if app["requirePorts"]
        for port in app["portDefinitions"]
        if port["name"] != "controller"
    }
    assert fixed | {5050, 8090} == set(map(int, listed[1].split(",")))


@pytest.mark.parametrize("line", [line for line in _FILE.splitlines() if "forwarded_port" in line])
def test_forwarded_ports_are_open_on_loopback_alone(line: str) -> None:
    assert 'host_ip: "127.0.0.1"' in line


def test_the_vagrantfile_states_that_ci_does_not_run_it() -> None:
    assert "Not run in CI" in _FILE
    assert "Never as a virtual machine" in (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
