"""Settings of the Consul adapter: the agent's address, credentials, and all time limits."""

import re
from collections.abc import Mapping
from ipaddress import IPv6Address
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from bookshelf.discovery.port import DiscoveryFault

_LINE = r"[^\x00-\x1f\x7f\ud800-\udfff]"
#: An id, a service's name, a tag.
NAME = re.compile(_LINE + "{1,255}")
#: A value of metadata, up to Consul's limit.
VALUE = re.compile(_LINE + "{0,512}")
_HOST = re.compile(r"[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*\.?")
_LONGEST_HOST = 253
#: Addresses that a server can listen on and that a client cannot connect to.
_EVERYWHERE = ("0.0.0.0", "0")  # noqa: S104 (refused here, not listened on)


def is_address(text: str) -> bool:
    """Return True for a host name or an IP address that a client can connect to."""
    if _HOST.fullmatch(text):
        return len(text) <= _LONGEST_HOST and text not in _EVERYWHERE
    try:
        return int(IPv6Address(text)) != 0 and "%" not in text
    except ValueError:
        return False


def is_port(number: int) -> bool:
    """Return True for a TCP port that a client can connect to."""
    return 0 < number < 65536  # noqa: PLR2004 (TCP's own)


_PRINTABLE = re.compile(r"[\x21-\x7e]*")


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Time limits, all in seconds; docs/decisions/0008 explains the values."""

    ttl_s: float = 3.0  # without a heartbeat for this long, an instance's check turns critical
    beat_s: float = 0.75  # between two heartbeats
    answer_s: float = 2.0  # for an answer of the agent, which runs on this machine
    wait_s: float = 10.0  # for which a blocking query is held; Consul adds up to a sixteenth
    grace_s: float = 5.0  # for which the flap guard keeps instances that an answer lacks


class ConsulSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach one agent: the one on this machine, not a load balancer in front of several.

    `agent`: its address and port. `wait_s`: seconds to wait for its first answer at the start. `token`: the
    secret of an ACL token. `ca_file`: certificates of the authority that signed the agent's, if the system
    does not trust it. `datacenter`: where services are looked for, if not in the agent's own.

    Raises `DiscoveryFault` for a value that cannot be sent.
    """

    #: The name of each setting by its field.
    SETTINGS: ClassVar[Mapping[str, str]] = {
        "agent": "consul",
        **{name: f"consul_{name}" for name in ("wait_s", "scheme", "token", "ca_file", "datacenter")},
    }

    agent: str = "127.0.0.1:8500"
    wait_s: Annotated[float, Meta(gt=0)] = 30.0
    scheme: Literal["http", "https"] = "http"
    token: str = ""
    ca_file: str = ""
    datacenter: str = ""
    pace: Pace = Pace()

    def __post_init__(self) -> None:
        address, port = self._place
        if not is_address(address):
            raise DiscoveryFault(
                f"{address!r} is not an address of a Consul agent: give a host name or an IP address"
            )
        if not (port.isascii() and port.isdigit() and is_port(int(port))):
            raise DiscoveryFault(f"consul: {port!r} is no port; write it like 127.0.0.1:8500")
        if not _PRINTABLE.fullmatch(self.token):
            raise DiscoveryFault("the Consul token has a blank or a control character: give the secret alone")

    def __repr__(self) -> str:
        return f"ConsulSettings({self.url}, token={'set' if self.token else 'none'})"

    @property
    def url(self) -> str:
        """The base URL of the agent's HTTP API."""
        address, port = self._place
        host = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{host}:{port}"

    @property
    def _place(self) -> tuple[str, str]:
        address, _, port = self.agent.rpartition(":")
        return address, port
