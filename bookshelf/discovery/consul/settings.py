"""Where the agent is, how it is spoken to, and every span of time that the adapter keeps to."""

import re
from typing import Literal

import msgspec

from bookshelf.discovery.consul.validation import is_address
from bookshelf.discovery.port import DiscoveryFault

_PRINTABLE = re.compile(r"[\x21-\x7e]*")


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Spans of time, all in seconds; docs/decisions/0008 says why these."""

    ttl_s: float = 3.0  # an instance that has said nothing for so long is critical
    beat_s: float = 0.75  # between two times that it says so
    answer_s: float = 2.0  # for an answer of the agent, which is near
    wait_s: float = 10.0  # that a blocking query is held; Consul adds up to a sixteenth
    grace_s: float = 5.0  # that instances are believed in against an answer that may be wrong
    patience_s: float = 30.0  # for an agent that is not there yet


class ConsulSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach one agent: the one on this machine, not a balancer before several.

    `token`: an ACL token's secret; `ca_file`: who signed the agent's certificate, if not a known authority;
    `datacenter`: whose services are looked for, if not the agent's own. Raises `DiscoveryFault` for a value
    that cannot be sent.
    """

    address: str = "127.0.0.1"
    port: int = 8500
    scheme: Literal["http", "https"] = "http"
    token: str = ""
    ca_file: str = ""
    datacenter: str = ""
    pace: Pace = Pace()

    def __post_init__(self) -> None:
        if not is_address(self.address):
            raise DiscoveryFault(
                f"{self.address!r} is no address of a Consul agent: give a host's name or IP"
            )
        if not _PRINTABLE.fullmatch(self.token):
            raise DiscoveryFault("the Consul token has a blank or a control character: give the secret alone")

    def __repr__(self) -> str:
        return f"ConsulSettings({self.url}, token={'set' if self.token else 'none'})"

    @property
    def url(self) -> str:
        """Where its HTTP API begins."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.scheme}://{host}:{self.port}"
