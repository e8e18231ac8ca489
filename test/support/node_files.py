"""Node and a Kafka client in JavaScript alone, fetched once by npm and kept outside the checkout."""

import base64
import functools
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from support import kafka_files

VERSION = "2.2.4"
_SHA512 = "j/YeapB1vfPT2iOIUn/vxdyKEuhuY2PxMBvf5JWux6iSaukAccrMtXEY/Lb7OvavDhOWME589bpLrEdnVHjfjA=="
REMEDY = "it needs Node 18 and npm: sudo apt-get install -y nodejs npm"
#: Seconds that a fetch may take.
_FETCH_S = 120


@functools.cache
def available() -> bool:
    """Whether a program for Node can use Kafka here; fetches the client if it can be, and tries that once."""
    if shutil.which("node") is None:
        return False
    try:
        client()
    except (OSError, subprocess.SubprocessError, tarfile.TarError, ValueError) as fault:
        sys.stderr.write(f"kafkajs cannot be fetched: {fault}\n")
        return False
    return True


def client() -> Path:
    """Return the folder of the client."""
    home = kafka_files.cache().parents[1] / "kafkajs" / VERSION
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.parent) as folder:
            _fetch(Path(folder)).rename(home)
    return home


def _fetch(folder: Path) -> Path:
    """Fetch the client into a folder; return where it is. Raises ValueError if it is another one."""
    npm = ["npm", "pack", "--silent", f"kafkajs@{VERSION}"]
    subprocess.run(npm, cwd=folder, check=True, stdin=subprocess.DEVNULL, timeout=_FETCH_S)
    archive = folder / f"kafkajs-{VERSION}.tgz"
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != _SHA512:
        msg = f"kafkajs {VERSION} has another digest: {found}"
        raise ValueError(msg)
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    return folder / "package"
