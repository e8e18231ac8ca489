"""Compose v2 and buildx, taken out of Debian's packages of a later release: plugins of any Docker client."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from support.debian import mirror
from support.kafka_files import cache as kafka_cache

SUITE = "trixie"
_PACKAGES = ("docker-compose", "docker-buildx")
_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"


def docker_config() -> Path:
    """Return a value for DOCKER_CONFIG that has both plugins; the first call downloads them."""
    config = kafka_cache().parents[1] / "compose" / SUITE
    config.mkdir(parents=True, exist_ok=True)
    with (config / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (config / "cli-plugins").exists():
            _fetch(config)
    return config


def _fetch(config: Path) -> None:
    work = config / "work"
    shutil.rmtree(work, ignore_errors=True)
    for name in ("lists/partial", "archives/partial", "root"):
        (work / name).mkdir(parents=True)
    sources = work / "sources.list"
    sources.write_text(f"deb [signed-by={_KEYS}] {mirror()} {SUITE} main\n")
    own = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": work / "lists",
        "Dir::Cache": work,
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-qq", *(f"--option={name}={value}" for name, value in own.items())]
    subprocess.run([*apt, "update"], check=True, capture_output=True, timeout=300)
    subprocess.run([*apt, "download", *_PACKAGES], cwd=work, check=True, capture_output=True, timeout=300)
    for package in work.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(work / "root")], check=True)
    shutil.move(work / "root/usr/libexec/docker/cli-plugins", config / "cli-plugins")
    shutil.rmtree(work)
