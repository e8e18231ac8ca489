"""Settings of the Kafka log: address, credentials, topics and time limits."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

Seconds = Annotated[float, Meta(gt=0)]
Replicas = Annotated[int, Meta(ge=1, le=9)]


class KafkaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of the Kafka log. `bootstrap` is host:port, or several of them separated by commas.

    `prefix` precedes the names of topics, groups and transactional ids, so that two shelves can use one
    cluster. `group` and a dot precede the names of consumer groups that divide partitions as well:
    `GROUP.newbook`. Offsets and transactional ids lack it, because one owner writes, whatever its group.
    `partitions`, `replication` and `min_insync` apply to topics that are created; existing ones keep theirs.
    """

    #: The name of each setting by its field. The other fields are not for users.
    SETTINGS: ClassVar[Mapping[str, str]] = {
        "bootstrap": "broker",
        "wait_s": "broker_wait_s",
        "group": "group",
        **{
            name: f"kafka_{name}"
            for name in (
                *("prefix", "partitions", "replication", "min_insync", "security_protocol"),
                *("sasl_mechanism", "sasl_username", "sasl_password"),
                *("ssl_cafile", "ssl_certfile", "ssl_keyfile"),
            )
        },
    }

    bootstrap: str = "127.0.0.1:9092"
    prefix: str = ""
    group: str = ""
    partitions: Annotated[int, Meta(ge=1, le=1000)] = 8
    replication: Replicas = 1
    min_insync: Replicas = 1

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str = ""
    sasl_password: str = ""
    ssl_cafile: str = ""
    ssl_certfile: str = ""
    ssl_keyfile: str = ""

    #: How long to wait for a broker at the start.
    wait_s: Seconds = 60.0
    #: How long one request may take: querying an offset, creating a topic, opening a writer.
    ask_s: Seconds = 10.0
    #: How long one append may take before its outcome counts as unknown.
    append_s: Seconds = 10.0
    #: A tail fails after it has received no response from any broker, not even an empty one, for this long.
    silence_s: Seconds = 10.0
    #: The broker aborts a transaction after this time if its writer died; readers wait for it until then.
    transaction_s: Seconds = 10.0
    #: The heartbeat interval of a group's member; moving partitions takes about one interval.
    heartbeat_s: Seconds = 0.2
    #: A member without a heartbeat for this long counts as dead. Kafka's default minimum is 6 s.
    session_s: Seconds = 6.0
    #: How long members may take to drain before the group continues without them.
    rebalance_s: Seconds = 30.0

    def __repr__(self) -> str:
        """Leave out the password: settings get into log lines."""
        return f"KafkaSettings({self.bootstrap!r}, prefix={self.prefix!r}, {self.security_protocol})"


class Topic(msgspec.Struct, frozen=True):
    """A topic that the log is opened with. `retention_s` None keeps every record, as events require.

    `by_parent`: the records of children of aggregates are in the partitions of their parents.
    """

    name: str
    retention_s: Seconds | None = None
    cleanup: Literal["delete", "compact"] = "delete"
    by_parent: bool = False


class Finding(msgspec.Struct, frozen=True):
    """One property of a topic: the actual and the expected value, and a remedy if they do not fit."""

    topic: str
    name: str
    found: str
    expected: str
    do: str = ""
