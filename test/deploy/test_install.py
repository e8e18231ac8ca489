"""packaging/install in a container, as root on a Debian machine; what its units start runs as it will."""

from pathlib import Path

import pytest
from support.built_packages import build, only
from support.docker import Docker
from support.process import ROOT
from support.replacement_images import PYTHON

pytestmark = pytest.mark.deploy
_SCRIPT = """
/src/packaging/install "$1" && /src/packaging/install "$1"
programs=$(sed -n 's/^ExecStart=\\([^ ]*\\).*/\\1/p' /etc/systemd/system/bookshelf*.service)
for program in $programs; do test -x "$program"; done
(cd /etc/systemd/system && ls bookshelf*)
install -d -m 0700 -o 65534 -g 65534 /var/lib/bookshelf
own="setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --bounding-set=-all"
export BOOKSHELF_DATA=/var/lib/bookshelf/data BOOKSHELF_LOG_FORMAT=json HOME=/nonexistent
$own /opt/bookshelf/bin/bookshelf up >/dev/null & shelf=$!
until $own /opt/bookshelf/bin/bookshelf health --port 8000 >/dev/null; do sleep 0.2; done
unit=/etc/systemd/system/bookshelf-backup.service
$own sh -c "$(sed -n 's/^ExecStart=//p' $unit)" | sed -n 's/^Backup: *//p'
kill "$shelf" && wait "$shelf"
/src/packaging/uninstall
test -e /var/lib/bookshelf/data/log.sqlite
/src/packaging/uninstall --purge
for left in /opt/bookshelf /etc/systemd/system/bookshelf* /var/lib/bookshelf; do test ! -e "$left"; done
"""


def test_a_second_installation_is_an_upgrade_and_runs_by_its_units(docker: Docker, tmp_path: Path) -> None:
    build(tmp_path)
    wheel = only(tmp_path, "*.whl")
    mounts = [f"{tmp_path}:/dist:ro", f"{ROOT / 'packaging'}:/src/packaging:ro"]
    mounts.append(f"{ROOT / 'constraints.txt'}:/src/constraints.txt:ro")
    options = [part for mount in mounts for part in ("--volume", mount)]
    said = docker("run", "--rm", *options, PYTHON, "sh", "-euc", _SCRIPT, "sh", f"/dist/{wheel.name}")
    *units, copy, removed, purged = said.splitlines()
    assert units == ["bookshelf-backup.service", "bookshelf-backup.timer", "bookshelf.service"]
    assert copy.startswith("/var/lib/bookshelf/backups/bookshelf-")
    assert "its books and backups are in /var/lib/bookshelf" in removed
    assert purged == "Bookshelf, its books and its backups are removed."
