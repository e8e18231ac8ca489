"""README.rst as a program: its shell blocks, and what its requests are answered."""

import os
import re
import subprocess
from pathlib import Path

from support.process import ROOT

README = (ROOT / "README.rst").read_text(encoding="utf-8")
_BLOCK = re.compile(r"^\.\. code-block:: shell\n\n((?:   .*\n|\n)+)", re.MULTILINE)


def blocks() -> list[str]:
    """Return every block of shell commands, in order."""
    return [re.sub(r"^   ", "", block, flags=re.MULTILINE).strip() for block in _BLOCK.findall(README)]


REQUESTS = [block for block in blocks() if "curl -s" in block]
#: What the answers of each block are, by the status of each curl in it.
STATUSES = ([201], [200], [200, 204], [200, 200], [200, 204])


def played(place: Path, url: str = "http://localhost:8000") -> list[list[int]]:
    """Run every block's requests in one shell, in order; return their statuses, block by block.

    They follow each other faster than a person's: by a browser's cookie each sees what the former wrote.
    """
    wrapper = place / "curl"
    real = subprocess.run(["which", "curl"], check=True, capture_output=True, text=True).stdout.strip()
    options = f"-b {place}/cookies -c {place}/cookies -w '%{{stderr}}%{{http_code}}\\n'"
    wrapper.write_text(f'#!/bin/sh\nexec {real} {options} "$@"\n')
    wrapper.chmod(0o755)
    script = "\necho -- >&2\n".join(REQUESTS).replace("http://localhost:8000", url)
    path = f"{place}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-euc", script], env={"PATH": path}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done
    return [[int(code) for code in part.split()] for part in done.stderr.split("--")]
