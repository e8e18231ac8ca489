"""The real Consul: the one on the PATH, or Debian's, fetched once into a cache outside of the checkout."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

#: The last of Debian's suites that has it.
_SUITE = "bullseye"
_KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
#: Seconds for any step of a fetch, which takes five as a whole.
_PATIENCE_S = 120
REMEDY = "put consul on the PATH, or run on Debian with apt-get and its mirror"


@cache
def program() -> Path | None:
    """Return where Consul is, fetching it if need be; None where it cannot be had."""
    found = shutil.which("consul")
    return Path(found) if found else _fetched(_cache_home() / "bookshelf" / "consul")


def _cache_home() -> Path:
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".cache"


def _fetched(folder: Path) -> Path | None:
    wanted = folder / "root" / "usr" / "bin" / "consul"
    if wanted.exists():
        return wanted
    if not all(shutil.which(name) for name in ("apt-get", "dpkg")):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not wanted.exists():
            try:
                _fetch(folder)
            except (subprocess.SubprocessError, OSError, LookupError):
                return None
    return wanted


def _fetch(folder: Path) -> None:
    """Download with lists and sources of our own: the system's apt is left alone."""
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    for name in ("lists/partial", "archives/partial", "none"):
        (work / name).mkdir(parents=True)
    signed = f"[signed-by={_KEYS}] " if _KEYS.exists() else ""
    (work / "sources.list").write_text(f"deb {signed}{_mirror()} {_SUITE} main\n")
    apt = ["apt-get", "-qq", *_options(work)]
    _run([*apt, "update"], work)
    _run([*apt, "download", "consul"], work)
    [package] = work.glob("consul_*.deb")
    _run(["dpkg", "-x", str(package), "root"], work)
    (work / "root").rename(folder / "root")
    shutil.rmtree(work)


def _options(work: Path) -> list[str]:
    options = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": work / "none",
        "Dir::State::lists": work / "lists",
        "Dir::Cache": work,
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
        "Acquire::Retries": 3,
        "Debug::NoLocking": 1,
    }
    return [part for name, value in options.items() for part in ("-o", f"{name}={value}")]


def _mirror() -> str:
    """Return the mirror that this machine takes its own packages from. Raises LookupError if it has none."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    for line in _run(asked, Path.cwd()).splitlines():
        return line
    raise LookupError("this machine's apt has no sources")


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout
