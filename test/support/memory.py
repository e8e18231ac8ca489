"""What a process takes of memory, as the kernel counts it."""

import re
from pathlib import Path


def peak_mb(pid: int) -> float:
    """Return the largest resident size that a process ever had, in megabytes."""
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6
