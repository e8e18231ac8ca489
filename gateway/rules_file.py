"""The operator's file: read at the start, and again whenever it changes or someone says so."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from gateway.routing.rules import BadRules, loads

#: Seconds between two looks at the file, and bytes of it.
_LOOK_S = 0.5
_MOST = 1 << 20
_Stamp = tuple[int, int, int]
_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Section:
    """Some tables of the file. `take` checks them, returns what puts them into force, raises `BadRules`."""

    tables: tuple[str, ...]
    take: Callable[[Mapping[str, Any]], Callable[[], None]]


class RuleFile:
    """A TOML file, each table of which someone takes. All of it is put into force, or nothing.

    `fault`: what is wrong with it as it stands now; what it said before stays in force.
    """

    def __init__(self, path: Path, *sections: Section) -> None:
        self.path = path
        self._sections = sections
        self._stamp: _Stamp | None = None
        self.fault: str | None = None

    def load(self) -> None:
        """Read it, and put it into force. Raises `BadRules`."""
        self._stamp = self._look()
        given = self._read()
        known = [table for section in self._sections for table in section.tables]
        if unknown := sorted(given.keys() - set(known)):
            raise BadRules(f"{self.path}: there is no table {unknown[0]!r}, only {', '.join(known)}")
        try:
            forces = [
                section.take({name: given[name] for name in section.tables if name in given})
                for section in self._sections
            ]
        except BadRules as fault:
            raise BadRules(f"{self.path}: {fault}") from None
        for put_into_force in forces:
            put_into_force()
        self.fault = None

    def reload(self) -> None:
        """Read it again; what cannot be used is logged, and what was in force stays."""
        try:
            self.load()
        except BadRules as fault:
            self.fault = str(fault)
            _logger.error("rules-refused", why=self.fault)  # noqa: TRY400 (the operator's mistake, not ours)
        else:
            _logger.info("rules-changed", path=str(self.path))

    async def watch(self) -> None:
        """Read it again whenever it changes, for ever."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._look() != self._stamp:
                self.reload()

    def _look(self) -> _Stamp | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _read(self) -> dict[str, Any]:
        try:
            with self.path.open("rb") as file:
                return loads(_short(file.read(_MOST + 1)).decode())
        except OSError as fault:
            raise BadRules(f"{self.path} cannot be read: {fault.strerror}") from None
        except UnicodeDecodeError:
            raise BadRules(f"{self.path} is no UTF-8") from None
        except BadRules as fault:
            raise BadRules(f"{self.path}: {fault}") from None


def _short(content: bytes) -> bytes:
    if len(content) > _MOST:
        raise BadRules(f"it has more than {_MOST} bytes")
    return content
