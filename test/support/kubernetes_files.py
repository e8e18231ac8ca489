"""The programs of a Kubernetes cluster: compiled from their sources with Go, once, outside the checkout."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from support.kafka_files import cache as kafka_cache

VERSION = "1.31.4"
COREDNS = "github.com/coredns/coredns@v1.11.3"
REMEDY = "as root: Go, kubectl, gcc, and apt-get install -y docker.io containernetworking-plugins conntrack"
_PARTS = {
    "kube-apiserver": "NewAPIServerCommand",
    "kube-controller-manager": "NewControllerManagerCommand",
    "kube-scheduler": "NewSchedulerCommand",
    "kubelet": "NewKubeletCommand",
    "kube-proxy": "NewProxyCommand",
}
#: Modules that live in the same repository, and are named by no version there.
_SIBLINGS = (
    "api apiextensions-apiserver apimachinery apiserver cli-runtime client-go cloud-provider "
    "cluster-bootstrap code-generator component-base component-helpers controller-manager cri-api cri-client "
    "csi-translation-lib dynamic-resource-allocation endpointslice kms kube-aggregator "
    "kube-controller-manager kube-proxy kube-scheduler kubectl kubelet metrics mount-utils "
    "pod-security-admission sample-apiserver sample-cli-plugin sample-controller"
)
_MAIN = """package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/{part}/app"
)

func main() {{ os.Exit(cli.Run(app.{command}())) }}
"""
#: Seconds that one program may take to compile.
_BUILD_S = 1200


def folder() -> Path:
    """The folder that is kept between runs."""
    return kafka_cache().parents[1] / "kubernetes"


def available() -> bool:
    """Whether a cluster can be made here."""
    needed = ("go", "kubectl", "gcc", "dockerd", "containerd", "runc", "iptables", "conntrack")
    return os.geteuid() == 0 and all(map(shutil.which, needed)) and Path("/usr/lib/cni/bridge").exists()


def programs() -> Path:
    """Return the folder of the programs, compiling what is missing: ten minutes the first time."""
    made = folder() / "bin"
    made.mkdir(parents=True, exist_ok=True)
    with (folder() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _sources(folder() / "src")
        for part in _PARTS:
            if not (made / part).exists():
                version = f"-X k8s.io/component-base/version.gitVersion=v{VERSION}"
                _go("build", "-trimpath", "-ldflags", f"-s -w {version}", "-o", f"{made}/", f"./{part}")
        if not (made / "coredns").exists():
            _go("install", "-trimpath", "-ldflags", "-s -w", COREDNS)
        if not (made / "etcd").exists():
            _etcd(made)
    return made


def _sources(place: Path) -> None:
    if (place / "go.sum").exists():
        return
    place.mkdir(exist_ok=True)
    library = VERSION.replace("1.", "0.", 1)
    replaced = "".join(f"\tk8s.io/{name} => k8s.io/{name} v{library}\n" for name in _SIBLINGS.split())
    head = f"module local/kubernetes\n\ngo 1.23\n\nrequire k8s.io/kubernetes v{VERSION}\n"
    (place / "go.mod").write_text(f"{head}\nreplace (\n{replaced})\n")
    for part, command in _PARTS.items():
        (place / part).mkdir(exist_ok=True)
        (place / part / "main.go").write_text(_MAIN.format(part=part, command=command))
    _go("mod", "tidy", "-e")


def _go(*args: str) -> None:
    environment = {**os.environ, "GOBIN": str(folder() / "bin")}
    subprocess.run(["go", *args], cwd=folder() / "src", env=environment, check=True, timeout=_BUILD_S)


def _etcd(target: Path) -> None:
    """Take etcd out of its Debian package, and install nothing."""
    work = folder() / "etcd"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    subprocess.run(["apt-get", "-qq", "download", "etcd-server"], cwd=work, check=True)
    [package] = work.glob("*.deb")
    subprocess.run(["dpkg", "-x", str(package), "root"], cwd=work, check=True)
    shutil.copy2(work / "root/usr/bin/etcd", target / "etcd")
    shutil.rmtree(work)
