"""Commands by topic and deadlines plug into an owner from outside: its other modules do not name them."""

import re

import pytest
from architecture.source import ROOT

FOLDER = ROOT / "bookshelf" / "runtime" / "aggregate"
#: The plug-ins with their messages, and the module that hands them to each owner.
OUTSIDE = {"command_messages", "deadlines", "topic_commands", "host"}
NAMES = re.compile(
    r"deadline|timer|expire|\.due\b|command[ _]?(message|topic)s?\b|topic[ _]commands?|by[ _]topic",
    re.IGNORECASE,
)
CORE = sorted(path.stem for path in FOLDER.rglob("*.py") if path.stem not in OUTSIDE)


@pytest.mark.parametrize("name", CORE)
def test_the_core_of_an_owner_names_no_plugin(name: str) -> None:
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert [match.group() for match in NAMES.finditer(text)] == []


def test_the_core_is_what_it_was_named_for() -> None:
    core = {"owner", "command_queue", "batch", "replay", "snapshot", "state_cache"}
    assert core <= set(CORE)
