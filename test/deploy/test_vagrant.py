"""vagrant/provision in a container, where docker only takes notes; the Vagrantfile by Vagrant itself."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from support.docker import Docker
from support.process import ROOT
from support.replacement_images import PYTHON

pytestmark = pytest.mark.deploy
#: Records its arguments; lists as many containers as it was called to run.
_NOTES = """#!/bin/sh
echo "$(basename "$0") $*" >> /notes/calls
[ "$1" != ps ] || { name=${5#name=^}; grep "docker run .*--name ${name%?} " /notes/calls || true; }
"""


def test_provisioning_is_idempotent(docker: Docker, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "docker").write_text(_NOTES)
    (notes / "docker").chmod(0o755)
    script = """
        install /notes/docker /usr/local/bin/docker
        printf '#!/bin/sh\\necho 10.0.2.15\\n' > /usr/local/bin/hostname && chmod +x /usr/local/bin/hostname
        sh /vagrant/provision && cp /notes/calls /notes/first && sh /vagrant/provision
        cp /etc/hosts /notes/hosts && stat --format '%u %n' /var/lib/bookshelf/* > /notes/owners
    """
    mounts = ["--volume", f"{notes}:/notes", "--volume", f"{ROOT / 'vagrant'}:/vagrant:ro"]
    docker("run", "--rm", *mounts, PYTHON, "sh", "-euc", script)
    first = (notes / "first").read_text().splitlines()
    again = (notes / "calls").read_text().splitlines()[len(first) :]
    names = ["zookeeper", "mesos-master", "mesos-agent", "marathon"]
    assert [line.split("--name ")[1].split()[0] for line in first if " run " in line] == names
    assert [line for line in again if " run " in line] == []
    assert [line for line in again if " start " in line] == [f"docker start {name}" for name in names]
    assert (notes / "hosts").read_text().count("bookshelf-node") == 1
    assert (notes / "owners").read_text().splitlines() == [
        "100 /var/lib/bookshelf/consul",
        "1000 /var/lib/bookshelf/kafka",
    ]


@pytest.mark.skipif(shutil.which("vagrant") is None, reason="vagrant is missing: its file is not read")
@pytest.mark.parametrize("folder", [".", "swarm"])
def test_vagrant_validates_the_vagrantfile(tmp_path: Path, folder: str) -> None:
    quiet = {**os.environ, "VAGRANT_CHECKPOINT_DISABLE": "1", "VAGRANT_HOME": str(tmp_path)}
    command = ["vagrant", "validate", "--ignore-provider"]
    done = subprocess.run(command, cwd=ROOT / folder, env=quiet, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
