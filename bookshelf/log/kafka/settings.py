"""What an installation of Kafka is to us: where it is, who we are there, and how long we wait for it."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that the adapter can be told. `bootstrap` is host:port, several with commas.

    `prefix` comes before the names of topics, groups and transactional ids: two shelves on one cluster.
    `group` comes before the names of consumer groups as well, with a point, where partitions are divided:
    `GROUP.newbook`. Offsets and transactional ids do not have it: one owner writes, whatever its group.
    `partitions`, `replication` and `min_insync` are of topics that are made; existing ones keep theirs.
    """

    bootstrap: str = "127.0.0.1:9092"
    prefix: str = ""
    group: str = ""
    partitions: Count = 8
    replication: Count = 1
    min_insync: Count = 1

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = ""
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""

    #: How long a broker is waited for at the start.
    wait_s: Seconds = 60.0
    #: How long one question may take: an offset, a topic's making, a writer's opening.
    ask_s: Seconds = 10.0
    #: How long one append may take before its outcome counts as unknown.
    append_s: Seconds = 10.0
    #: How long a tail hears nothing from any broker, not even that there is nothing new, before it says so.
    silence_s: Seconds = 10.0
    #: After which time the broker gives up a transaction whose writer died; readers wait for it that long.
    transaction_s: Seconds = 10.0
    #: How often a member of a group asks whether anything moves; a move takes about one of these.
    heartbeat_s: Seconds = 0.2
    #: After which silence a member counts as dead. Kafka's own default allows 6 s or more.
    session_s: Seconds = 6.0
    #: How long members may take to drain before the others go on without them.
    rebalance_s: Seconds = 30.0

    def __repr__(self) -> str:
        """Leave out the password: settings get into log lines."""
        return f"KafkaSettings({self.bootstrap!r}, prefix={self.prefix!r}, {self.security_protocol})"


class Topic(msgspec.Struct, frozen=True):
    """A topic that the log is opened with. `retention_s` None keeps every record, as events must be."""

    name: str
    retention_s: Seconds | None = None
    cleanup: Literal["delete", "compact"] = "delete"


class Finding(msgspec.Struct, frozen=True):
    """One thing about a topic: what it is, what is expected, and what to do if that is not good."""

    topic: str
    name: str
    found: str
    expected: str
    do: str = ""
