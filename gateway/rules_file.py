"""The operator's rules file: read at the start, when it changes, and on request."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from gateway.routing.rules import BadRules, loads

#: Seconds between two checks of the file, and its most bytes.
_LOOK_S = 0.5
_MOST = 1 << 20
_Stamp = tuple[int, int, int]
_logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Section:
    """Some tables of the file. `take` checks them and returns what applies them, or raises `BadRules`."""

    tables: tuple[str, ...]
    take: Callable[[Mapping[str, Any]], Callable[[], None]]


class RuleFile:
    """A TOML file whose tables are divided among sections. It is applied as a whole, or not at all.

    `fault`: what is wrong with the file as it is now, while the rules read before stay in force; None if the
    file is in force.
    """

    def __init__(self, path: Path, *sections: Section) -> None:
        self.path = path
        self._sections = sections
        self._stamp: _Stamp | None = None
        self.fault: str | None = None

    def load(self) -> None:
        """Read and apply the file. Raises `BadRules`."""
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
        """Read and apply the file again; an error is logged, and the former rules stay in force."""
        try:
            self.load()
        except BadRules as fault:
            self.fault = str(fault)
            _logger.error("rules-refused", why=self.fault)  # noqa: TRY400 (the operator's mistake, not ours)
        else:
            _logger.info("rules-changed", path=str(self.path))

    async def watch(self) -> None:
        """Reload the file whenever it changes, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            if self._look() != self._stamp:
                self.reload()

    def _look(self) -> _Stamp | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> dict[str, Any]:
        try:
            with self.path.open("rb") as file:
                content = file.read(_MOST + 1)
            if len(content) > _MOST:
                raise BadRules(f"it has more than {_MOST} bytes")  # noqa: TRY301 (the path is added below)
            return loads(content.decode())
        except OSError as fault:
            raise BadRules(f"{self.path} cannot be read: {fault.strerror}") from None
        except UnicodeDecodeError:
            raise BadRules(f"{self.path} is not UTF-8") from None
        except BadRules as fault:
            raise BadRules(f"{self.path}: {fault}") from None
