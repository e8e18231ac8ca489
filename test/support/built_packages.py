"""The wheel and the source archive, made of what git keeps."""

import subprocess
import sys
from pathlib import Path

from support.process import ROOT


def build(place: Path) -> None:
    """Make both, in a folder that is empty."""
    source = place / "source"
    source.mkdir()
    git = ["git", "-c", "safe.directory=*", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others"]
    names = subprocess.run([*git, "--exclude-standard"], check=True, capture_output=True).stdout.split(b"\0")
    listed = b"\0".join(name for name in names if name and (ROOT / name.decode()).is_file())
    copy = f"tar -C {ROOT} --null --files-from=- -cf - | tar -C {source} -xf -"
    subprocess.run(["sh", "-c", copy], input=listed, check=True)
    build = [sys.executable, "-m", "build", "--outdir", str(place), str(source)]
    subprocess.run(build, check=True, capture_output=True, timeout=300)


def only(folder: Path, pattern: str) -> Path:
    """Return the one file of a kind."""
    [found] = folder.glob(pattern)
    return found
