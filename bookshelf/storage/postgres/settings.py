"""The settings of the PostgreSQL storage; apart from the adapter, which needs an optional package."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta


class PostgresSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The database of views, if `url` is not empty; `wait_s`: seconds to wait for it at the start."""

    #: The name of each setting by its field.
    SETTINGS: ClassVar[Mapping[str, str]] = {"url": "storage", "wait_s": "storage_wait_s"}

    url: str = ""
    wait_s: Annotated[float, Meta(gt=0)] = 60.0

    def __repr__(self) -> str:
        """Leave out the URL, which may have a password: settings get into log lines."""
        return f"PostgresSettings({'set' if self.url else 'none'})"
