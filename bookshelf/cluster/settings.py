"""The settings of the cluster context; apart from it, because every process reads them."""

from typing import Annotated

import msgspec
from msgspec import Meta

#: The tags of the service that decides on the rollouts of a domain.
ROLLOUTS = ("cluster", "rollouts")
_Milliseconds = Annotated[int, Meta(ge=1, le=3_600_000)]
_Seconds = Annotated[float, Meta(gt=0, le=86_400)]
#: The least memory that a service group can start in, in bytes.
_LEAST_MEMORY = 128 << 20


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The domain of this process, its repository, and the time limits of rollouts and sessions.

    Without a `cluster_domain` the context is off.
    """

    cluster_domain: Annotated[str, Meta(pattern=r"^([a-z0-9][a-z0-9-]{0,62})?$(?!\n)")] = ""
    cluster_repository: Annotated[str, Meta(max_length=2000)] = ""
    cluster_keys: Annotated[str, Meta(max_length=10_000)] = ""
    cluster_notification_wait_ms: _Milliseconds = 2000
    cluster_load_s: _Seconds = 30.0
    cluster_drain_s: _Seconds = 5.0
    cluster_commit_timeout_ms: _Milliseconds = 20_000
    cluster_standby_s: Annotated[float, Meta(ge=0, le=86_400)] = 60.0
    cluster_package_memory: Annotated[int, Meta(ge=_LEAST_MEMORY, le=1 << 40)] = 512 << 20
    cluster_primary_s: Annotated[float, Meta(ge=0.5, le=3600)] = 5.0
    cluster_session_idle_s: Annotated[float, Meta(ge=1, le=31_536_000)] = 1800.0
    cluster_sessions_keep_days: Annotated[int, Meta(ge=2, le=3650)] = 7

    @property
    def keys(self) -> tuple[str, ...]:
        """The public keys that packages must be signed with, one of them; none: no signature is needed."""
        return tuple(key.strip() for key in self.cluster_keys.split(",") if key.strip())

    @property
    def contact_s(self) -> float:
        """Seconds without news of a rollout after which a paused node reads the log to its end by itself."""
        return (self.cluster_commit_timeout_ms + self.cluster_notification_wait_ms) / 1000

    @property
    def silence_s(self) -> float:
        """Seconds without news in an open rollout after which a node looks whether it reads the log."""
        return self.cluster_notification_wait_ms / 1000
