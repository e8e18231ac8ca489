"""The command line of one node of a Galera cluster. It has no state and starts nothing."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

#: Debian's place of the library.
PROVIDER = "/usr/lib/galera/libgalera_smm.so"
CLUSTER = "bookshelf"
#: What every node has: rows can be made again from the log, so a commit waits for no disk.
SETTINGS: Mapping[str, str] = {
    "binlog-format": "ROW",
    "default-storage-engine": "InnoDB",
    "innodb-autoinc-lock-mode": "2",
    "innodb-flush-log-at-trx-commit": "2",
    # a user without the privilege SUPER may create the triggers of tables with a search
    "log-bin-trust-function-creators": "ON",
}
#: A node that gives no sign for two seconds is left out of the cluster, so that commits go on without it.
_PROVIDER_OPTIONS: Mapping[str, str] = {
    "evs.keepalive_period": "PT0.5S",
    "evs.inactive_check_period": "PT0.5S",
    "evs.suspect_timeout": "PT2S",
    "evs.inactive_timeout": "PT4S",
}


class NodeAddress(NamedTuple):
    """The host of a node, and its ports: of clients, of the group, and of the two ways to get its rows."""

    name: str
    host: str
    sql: int
    group: int
    increments: int
    snapshot: int


def options(
    node: NodeAddress, peers: Sequence[str], donors: Sequence[str] = (), more: Mapping[str, str] | None = None
) -> list[str]:
    """Return the options of a node's server.

    `peers`: host and port of the group on each node. `donors`: names of nodes that rows are taken from, the
    best first; any other one if none of them can give. `more`: further options of the library.
    """
    own = f"{node.host}:{node.group}"
    provider = {
        "base_host": node.host,
        "base_port": str(node.group),
        "gmcast.listen_addr": f"tcp://{own}",
        "ist.recv_addr": f"{node.host}:{node.increments}",
        **_PROVIDER_OPTIONS,
        **(more or {}),
    }
    settings = {
        **SETTINGS,
        "port": str(node.sql),
        "bind-address": node.host,
        "wsrep-on": "ON",
        "wsrep-provider": PROVIDER,
        "wsrep-cluster-name": CLUSTER,
        "wsrep-cluster-address": "gcomm://" + ",".join(peers),
        "wsrep-node-name": node.name,
        "wsrep-node-address": own,
        "wsrep-sst-method": "rsync",
        "wsrep-sst-receive-address": f"{node.host}:{node.snapshot}",
        "wsrep-provider-options": ";".join(f"{name}={value}" for name, value in provider.items()),
        **({"wsrep-sst-donor": ",".join([*donors, ""])} if donors else {}),
    }
    return [f"--{name}={value}" for name, value in settings.items()]
