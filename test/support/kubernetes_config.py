"""How the parts of a one-node cluster are started: their files, their command lines."""

import json
import subprocess
from pathlib import Path

TOKEN = "only-for-tests"  # noqa: S105 (of a cluster that lives for minutes, on loopback)
API = "https://127.0.0.1:16443"
PAUSE = "localhost/pause:1"
DNS_NAME = "cluster.local"
#: Of pods, of services; the bridge that pods hang on has the first address.
PODS, SERVICES, BRIDGE = "10.91.0.0/24", "10.92.0.0/24", "10.91.0.1"
_CONTAINERD = """version = 2
root = "{root}/containerd"
state = "{root}/containerd-state"
[grpc]
  address = "{root}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{root}/cni"
"""
_KUBELET = """apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
failSwapOn: false
localStorageCapacityIsolation: false
containerRuntimeEndpoint: unix://{root}/containerd.sock
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
clusterDNS: [{dns}]
clusterDomain: {domain}
resolvConf: {root}/resolv.conf
volumePluginDir: {root}/plugins
podLogsDir: {root}/pod-logs
evictionHard: {{memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}}
"""
_KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "{api}", insecure-skip-tls-verify: true}}}}]
users: [{{name: u, user: {{token: {token}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u, namespace: bookshelf}}}}]
current-context: x
"""
_COREFILE = """.:53 {{
  bind {dns}
  errors
  kubernetes {domain} {{
    kubeconfig {root}/kubeconfig
    ttl 1
  }}
}}
"""


def write(root: Path) -> None:
    """Write all files; make the key that tokens are signed with."""
    names = {"root": root, "pause": PAUSE, "dns": BRIDGE, "domain": DNS_NAME, "api": API, "token": TOKEN}
    files = {"containerd.toml": _CONTAINERD, "kubelet.yaml": _KUBELET}
    files |= {"kubeconfig": _KUBECONFIG, "Corefile": _COREFILE}
    for name, text in files.items():
        (root / name).write_text(text.format(**names))
    (root / "tokens").write_text(f'{TOKEN},admin,1,"system:masters"\n')
    (root / "resolv.conf").write_text("")
    (root / "cni").mkdir()
    (root / "cni" / "10-bridge.conflist").write_text(json.dumps(_network(root)))
    key = ["openssl", "genrsa", "-out", str(root / "key"), "2048"]
    subprocess.run(key, check=True, capture_output=True)


def _network(root: Path) -> dict[str, object]:
    # addresses of pods that were killed with their cluster would never be free again elsewhere
    place = {"type": "host-local", "dataDir": str(root / "addresses"), "subnet": PODS}
    ranges: dict[str, object] = {**place, "routes": [{"dst": "0.0.0.0/0"}]}
    bridge = {"type": "bridge", "bridge": "shelf0", "isGateway": True, "ipMasq": True, "hairpinMode": True}
    # a Docker daemon has the host drop what it forwards; this lets pods through
    through = {"type": "firewall"}
    return {"cniVersion": "0.4.0", "name": "shelf", "plugins": [{**bridge, "ipam": ranges}, through]}


def commands(root: Path, programs: Path) -> dict[str, list[str]]:
    """Return the command line of each part, in the order in which they start."""
    config = f"--kubeconfig={root}/kubeconfig"
    quiet = ["--leader-elect=false", config, f"--cert-dir={root}/certificates"]
    etcd = "http://127.0.0.1:12379"
    return {
        "etcd": [
            *(f"{programs}/etcd", f"--data-dir={root}/etcd", f"--listen-client-urls={etcd}"),
            *(f"--advertise-client-urls={etcd}", "--listen-peer-urls=http://127.0.0.1:12380"),
            "--unsafe-no-fsync",
        ],
        "kube-apiserver": [
            *(f"{programs}/kube-apiserver", f"--etcd-servers={etcd}", f"--cert-dir={root}/certificates"),
            *("--secure-port=16443", "--bind-address=127.0.0.1", f"--token-auth-file={root}/tokens"),
            *(f"--service-account-key-file={root}/key", f"--service-account-signing-key-file={root}/key"),
            *("--service-account-issuer=https://local", "--authorization-mode=RBAC"),
            *(f"--service-cluster-ip-range={SERVICES}", "--kubelet-preferred-address-types=InternalIP"),
        ],
        "kube-controller-manager": [
            *(f"{programs}/kube-controller-manager", *quiet, "--secure-port=16257"),
            *(f"--service-account-private-key-file={root}/key", "--use-service-account-credentials=false"),
        ],
        "kube-scheduler": [f"{programs}/kube-scheduler", *quiet, "--secure-port=16259"],
        "containerd": ["containerd", "--config", f"{root}/containerd.toml"],
        "kubelet": [
            *(f"{programs}/kubelet", f"--config={root}/kubelet.yaml", config, f"--root-dir={root}/kubelet"),
            *(f"--cert-dir={root}/certificates", "--hostname-override=node-1"),
        ],
        "kube-proxy": [
            *(f"{programs}/kube-proxy", config, "--proxy-mode=iptables", "--hostname-override=node-1"),
            *(f"--cluster-cidr={PODS}", "--conntrack-max-per-core=0"),
            *("--metrics-bind-address=127.0.0.1:16249", "--healthz-bind-address=127.0.0.1:16256"),
        ],
        "coredns": [f"{programs}/coredns", "-conf", f"{root}/Corefile"],
    }
