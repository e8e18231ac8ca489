"""What a cluster leaves on its machine when its parts have ended: processes, networks, mounts, rules."""

import os
import re
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

_NAMESPACES = Path("/run/netns")
_RULES = re.compile(r"KUBE-|CNI-")


def remove(root: Path) -> None:
    """Remove all of it: pods, then where they were."""
    _kill_pods(root)
    for one in _NAMESPACES.glob("cni-*"):
        subprocess.run(["umount", str(one)], check=False, capture_output=True)
        one.unlink()
    _unmount(root)
    _forget_rules()
    shutil.rmtree(root, ignore_errors=True)


def _kill_pods(root: Path) -> None:
    """Kill what outlives containerd: each container hangs below a shim of its own."""
    shims = {pid for pid in _processes() if str(root) in _words(pid)}
    below = {pid for pid in _processes() if _parent(pid) in shims}
    for pid in below | shims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(one.name) for one in Path("/proc").glob("[0-9]*")]


def _words(pid: int) -> str:
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        return words if "containerd-shim" in words.partition("\0")[0] else ""
    return ""


def _parent(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    return 0


def _unmount(root: Path) -> None:
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    for place in reversed([line.split()[1] for line in lines if line.split()[1].startswith(str(root))]):
        subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)


def _forget_rules() -> None:
    """Take the rules for pods and services out of the host's tables, and leave the others."""
    saved = subprocess.run(["iptables-save"], check=True, capture_output=True, text=True).stdout
    kept = "".join(line for line in saved.splitlines(keepends=True) if not _RULES.search(line))
    subprocess.run(["iptables-restore"], input=kept, check=True, capture_output=True, text=True)
