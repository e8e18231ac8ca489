"""Every setting, read once. Each is documented in docs/settings.md; a test compares the two."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

PREFIX = "BOOKSHELF_"

Port = Annotated[int, Meta(ge=0, le=65535)]


class WrongSetting(Exception):
    """A setting has a value that it cannot have; says which, and what it may be."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All settings, with their defaults. In the environment: BOOKSHELF_ and the name in capitals."""

    data: str = ""
    host: str = "127.0.0.1"
    port: Port = 8000
    service_ports: Literal["fixed", "auto"] = "fixed"
    partitions: Annotated[int, Meta(ge=1, le=64)] = 1
    state_cache: Annotated[int, Meta(ge=100, le=10_000_000)] = 20_000
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "text", "json"] = "auto"

    @property
    def folder(self) -> Path:
        """The data folder: as set, or XDG's place for data."""
        if self.data:
            return Path(self.data).expanduser()
        return _data_home() / "bookshelf"


def _data_home() -> Path:
    # the XDG Base Directory Specification has a relative path ignored
    given = Path(os.environ.get("XDG_DATA_HOME", ""))
    return given if given.is_absolute() else Path.home() / ".local" / "share"


def read(environment: Mapping[str, str], **given: Any) -> Settings:  # noqa: ANN401 (the command line's values)
    """Return the settings: what is given wins over the environment, that over the defaults.

    Raises `WrongSetting`.
    """
    names = Settings.__struct_fields__
    found: dict[str, Any] = {
        name: environment[key] for name in names if (key := PREFIX + name.upper()) in environment
    }
    found.update({name: value for name, value in given.items() if value is not None})
    try:
        return msgspec.convert(found, Settings, strict=False)
    except msgspec.ValidationError as fault:
        what, _, where = str(fault).partition(" - at `$.")
        name = where.rstrip("`")
        msg = f"{name} (or {PREFIX}{name.upper()}): {what.replace('Expected', 'must be').replace('`', '')}"
        raise WrongSetting(msg) from None
