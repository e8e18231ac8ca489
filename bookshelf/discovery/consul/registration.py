"""An instance as Consul is told of it, and the limits that Consul has."""

import hashlib
import re
from collections.abc import Iterator
from urllib.parse import quote

import msgspec

from bookshelf.discovery.consul.validation import NAME, VALUE, is_address, is_port
from bookshelf.discovery.port import DiscoveryFault, Instance

#: The key in a service's metadata that says: one of ours.
OWNED_BY_US_KEY = "bookshelf"
_MARKED = {OWNED_BY_US_KEY: "1"}
#: The name of the check by which our instances are found; how a faulty one begins to speak of itself.
CHECK = "Bookshelf: ready"
NOT_READY_PREFIX = "not ready: "

# Consul's own limits: agent/structs/structs.go, ValidateMetadata
_PAIRS = 64
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_BYTES = 512
_TOLD = 500


def check_path(instance_id: str) -> str:
    """Where the agent is told how the instance is."""
    return f"/v1/agent/check/update/{quote(_check_id(instance_id), safe='')}"


def leave_path(instance_id: str) -> str:
    """Where the agent is told to forget the instance."""
    return f"/v1/agent/service/deregister/{quote(instance_id, safe='')}"


def update(fault: str | None) -> bytes:
    """Return how an instance is, as its check is told."""
    if fault is None:
        return msgspec.json.encode({"Status": "passing", "Output": "ready"})
    # a fault may quote anything, also text that no UTF-8 can say
    note = f"{NOT_READY_PREFIX}{fault}"[:_TOLD].encode(errors="replace").decode()
    return msgspec.json.encode({"Status": "critical", "Output": note})


def refuse(instance: Instance) -> None:
    """Raise `DiscoveryFault` for an instance that Consul would not take, or take otherwise than it is."""
    for trouble in _troubles(instance):
        raise DiscoveryFault(f"{instance.id!r} cannot be registered with Consul: {trouble}")


def registration(instance: Instance, fault: str | None, ttl_s: float) -> bytes:
    """Return the instance as an agent is told of it."""
    return msgspec.json.encode(
        {
            "ID": instance.id,
            "Name": instance.service,
            "Tags": instance.tags,
            "Address": instance.address,
            "Port": instance.port,
            "Meta": {**instance.meta, **_MARKED},
            "Check": {
                "CheckID": _check_id(instance.id),
                "Name": CHECK,
                # a check that changes wakes those who watch checks, a service that changes does not
                "Notes": f"registration {_digest(instance)}",
                "TTL": f"{ttl_s}s",
                # made critical by the update that follows: a note goes around at once only with a new state
                "Status": "passing" if fault is None else "warning",
                # no sooner: Consul takes no less than a minute
                "DeregisterCriticalServiceAfter": "1m",
            },
        }
    )


def _check_id(instance_id: str) -> str:
    return f"bookshelf:{instance_id}"


def _digest(instance: Instance) -> str:
    return hashlib.sha256(msgspec.json.encode(instance, order="deterministic")).hexdigest()[:16]


def _troubles(instance: Instance) -> Iterator[str]:
    for name in (instance.id, instance.service, *instance.tags):
        if not NAME.fullmatch(name):
            yield f"{name!r} is no name: up to 255 characters, none of them a control character"
    if not is_address(instance.address):
        yield f"{instance.address!r} is no address to be found at"
    if not is_port(instance.port):
        yield f"{instance.port} is no port"
    if len(instance.meta) >= _PAIRS:
        yield f"its metadata has {len(instance.meta)} pairs, and {_PAIRS - 1} fit beside our own"
    for key, value in instance.meta.items():
        if key == OWNED_BY_US_KEY or key.startswith("consul-") or not _KEY.fullmatch(key):
            yield (
                f"metadata may not be called {key!r}: "
                f"letters, digits, - and _; not {OWNED_BY_US_KEY!r}, consul-"
            )
        if (size := len(value.encode(errors="replace"))) > _BYTES:
            yield f"its metadata {key!r} has {size} bytes, over {_BYTES}"
        elif not VALUE.fullmatch(value):
            yield f"its metadata {key!r} has a control character"
