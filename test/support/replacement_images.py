"""Images of the outside parts under their official names, of the same real programs; kept between runs."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from support import consul_program, kafka_files
from support.debian import mirror
from support.docker import Docker
from support.kubernetes_config import PAUSE
from support.process import ROOT

from bookshelf import __version__

PYTHON = "python:3.11-slim-bookworm"
KAFKA = "apache/kafka:4.2.2"
CONSUL = "hashicorp/consul:1.20.6"
POSTGRES = "postgres:15.14-bookworm"
_PAUSE = """#include <signal.h>
#include <unistd.h>
static void end(int number) { _exit(0); }
int main(void) { signal(SIGTERM, end); signal(SIGINT, end); for (;;) pause(); }
"""
_FOLDER = ROOT / "test" / "deploy" / "images"
_PACKAGES = "python3,python3-pip,python3-venv,ca-certificates"
#: Files that no image needs, and the mark that keeps pip out of Debian's own Python.
_SUPERFLUOUS = ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man")
_TRUSTED = "/etc/ssl/certs/ca-certificates.crt"


def make(docker: Docker) -> None:
    """Make what is missing: minutes the first time, nothing after."""
    if not docker.has(PYTHON):
        with tempfile.TemporaryDirectory(prefix="bookshelf-base-") as folder:
            _python(docker, Path(folder))
    _build(docker, KAFKA, {"libs": Path(kafka_files.jars().partition(":")[0]).parent})
    consul = consul_program.program()
    assert consul is not None
    _build(docker, CONSUL, {"consul": consul})
    _build(docker, POSTGRES, {})


def _build(docker: Docker, tag: str, parts: dict[str, Path]) -> None:
    if docker.has(tag):
        return
    with tempfile.TemporaryDirectory(prefix="bookshelf-image-") as folder:
        context = Path(folder) / "context"
        shutil.copytree(_FOLDER / tag.partition(":")[0].rpartition("/")[2], context)
        for name, source in parts.items():
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, context / name)
        docker("build", "--quiet", "--tag", tag, context)


def _python(docker: Docker, folder: Path) -> None:
    root = folder / "root"
    include = f"--include={_PACKAGES}"
    make_root = ["debootstrap", "--variant=minbase", include, "bookworm", str(root), mirror()]
    subprocess.run(make_root, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=1200)
    for name in _SUPERFLUOUS:
        shutil.rmtree(root / name)
        (root / name).mkdir()
    (root / "usr/lib/python3.11/EXTERNALLY-MANAGED").unlink()
    for compiled in list((root / "usr/lib").rglob("__pycache__")):  # as in the official one
        shutil.rmtree(compiled)
    for name, target in (("python", "python3"), ("python3", "python3"), ("pip", "pip3")):
        (root / "usr/local/bin" / name).symlink_to(f"/usr/bin/{target}")
    _trust(root)
    archive = folder / "root.tar"
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    path = "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    settings = [f"{path} LANG=C.UTF-8 PIP_CERT={_TRUSTED}", 'CMD ["python3"]']
    docker("import", *(part for one in settings for part in ("--change", one)), archive, PYTHON)


def _trust(root: Path) -> None:
    """Have it trust what this machine trusts: so that a build can install packages."""
    place = "usr/local/share/ca-certificates"
    for certificate in (Path("/") / place).glob("*.crt"):
        shutil.copy2(certificate, root / place)
    subprocess.run(["chroot", str(root), "update-ca-certificates"], check=True, capture_output=True)


def mariadb(docker: Docker) -> str:
    """Return the project's own image of the database of photos, built anew."""
    tag = f"bookshelf-mariadb:{__version__}"
    docker.run("docker", "build", "--tag", tag, "--file", "deploy/mariadb/Dockerfile", ".", cwd=ROOT)
    return tag


def pause(docker: Docker) -> str:
    """Return the image of the process that holds a pod together, made if it is missing."""
    if not docker.has(PAUSE):
        with tempfile.TemporaryDirectory(prefix="bookshelf-pause-") as folder:
            program, archive = Path(folder) / "pause", Path(folder) / "pause.tar"
            compile_it = ["gcc", "-static", "-Os", "-x", "c", "-", "-o", str(program)]
            subprocess.run(compile_it, input=_PAUSE.encode(), check=True, capture_output=True)
            subprocess.run(["tar", "-C", folder, "-cf", str(archive), "pause"], check=True)
            docker("import", "--change", 'ENTRYPOINT ["/pause"]', archive, PAUSE)
    return PAUSE
