"""Encodes instances and their health as requests to Consul, and checks them against Consul's limits."""

import hashlib
import re
from collections.abc import Iterator
from urllib.parse import quote

import msgspec

from bookshelf.discovery.consul.settings import NAME, VALUE, is_address, is_port
from bookshelf.discovery.port import DiscoveryFault, Instance

#: The key in a service's metadata that marks it as a service of this project.
OWNED_BY_US_KEY = "bookshelf"
_MARKED = {OWNED_BY_US_KEY: "1"}
#: The name of our health check, which finds our instances, and the prefix of its output while it fails.
CHECK = "Bookshelf: ready"
NOT_READY_PREFIX = "not ready: "

# Consul's own limits: agent/structs/structs.go, ValidateMetadata
_PAIRS = 64
_KEY = re.compile(r"[A-Za-z0-9_-]{1,128}")
_BYTES = 512
_NOTE_CHARACTERS = 500


def check_path(instance_id: str) -> str:
    """Return the agent's path for updating the instance's health check."""
    return f"/v1/agent/check/update/{quote(_check_id(instance_id), safe='')}"


def leave_path(instance_id: str) -> str:
    """Return the agent's path for deregistering the instance."""
    return f"/v1/agent/service/deregister/{quote(instance_id, safe='')}"


def update(fault: str | None) -> bytes:
    """Encode the body of a health check update: passing, or critical with the fault."""
    if fault is None:
        return msgspec.json.encode({"Status": "passing", "Output": "ready"})
    # a fault may quote any text, also lone surrogates, which UTF-8 cannot encode
    note = f"{NOT_READY_PREFIX}{fault}"[:_NOTE_CHARACTERS].encode(errors="replace").decode()
    return msgspec.json.encode({"Status": "critical", "Output": note})


def refuse(instance: Instance) -> None:
    """Raise `DiscoveryFault` for an instance that Consul would reject or store differently."""
    for trouble in _troubles(instance):
        raise DiscoveryFault(f"{instance.id!r} cannot be registered with Consul: {trouble}")


def registration(instance: Instance, fault: str | None, ttl_s: float) -> bytes:
    """Encode the body of a registration: the instance and its health check, which expires after `ttl_s`."""
    digest = hashlib.sha256(msgspec.json.encode(instance, order="deterministic")).hexdigest()[:16]
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
                # only a change of a check wakes blocking queries on checks, so the check carries a digest
                "Notes": f"registration {digest}",
                "TTL": f"{ttl_s}s",
                # the update that follows makes it critical: only a new status spreads its note at once
                "Status": "passing" if fault is None else "warning",
                # Consul's minimum is one minute
                "DeregisterCriticalServiceAfter": "1m",
            },
        }
    )


def _check_id(instance_id: str) -> str:
    return f"bookshelf:{instance_id}"


def _troubles(instance: Instance) -> Iterator[str]:
    for name in (instance.id, instance.service, *instance.tags):
        if not NAME.fullmatch(name):
            yield f"{name!r} is not a valid name: up to 255 characters, none of them a control character"
    if not is_address(instance.address):
        yield f"{instance.address!r} is not an address that clients can connect to"
    if not is_port(instance.port):
        yield f"{instance.port} is not a valid port"
    if len(instance.meta) >= _PAIRS:
        yield f"its metadata has {len(instance.meta)} pairs, over the limit of {_PAIRS - 1}"
    for key, value in instance.meta.items():
        if key == OWNED_BY_US_KEY or key.startswith("consul-") or not _KEY.fullmatch(key):
            yield (
                f"{key!r} is not a valid metadata key: letters, digits, - and _; "
                f"not {OWNED_BY_US_KEY!r}, and not beginning with consul-"
            )
        if (size := len(value.encode(errors="replace"))) > _BYTES:
            yield f"its metadata {key!r} has {size} bytes, over {_BYTES}"
        elif not VALUE.fullmatch(value):
            yield f"its metadata {key!r} has a control character"
