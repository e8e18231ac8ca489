"""The process of a package as `bookshelf node` starts it: what fails before it needs a broker."""

from pathlib import Path

import pytest
from support.packages import files
from support.process import environment

from bookshelf.cli.node_packages import child_starter
from bookshelf.runtime.agent.child import ChildReport
from bookshelf.runtime.agent.item import ItemRefused

#: Seconds for a process to start, on a machine that does much else.
LOAD_S = 60.0


def _relay(report: ChildReport) -> None:
    raise AssertionError(report)


def _ended() -> None:
    raise AssertionError


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("DATA = bytearray(1 << 30)\n", "MemoryError"),
        (
            "print('output of a package')\nimport none_such\n",
            "ModuleNotFoundError: No module named 'none_such'",
        ),
        ("from bookshelf.services import SERVICES\n", "two services are called newbook"),
    ],
)
async def test_the_real_process_refuses_a_package_with_its_reason(
    source: str, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, content in (files() | {"counters/services.py": source.encode()}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    start = child_starter({**environment(), "MALLOC_ARENA_MAX": "2"}, tmp_path / "data", LOAD_S)
    with pytest.raises(ItemRefused, match=reason):
        await start(tmp_path, "counters.services:SERVICES", _relay, _ended)
    assert capfd.readouterr().out == ""
