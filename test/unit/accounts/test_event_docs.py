"""docs/events.md names every event of accounts with its fields."""

import re

import msgspec
from support.process import ROOT

from bookshelf.accounts.events import EVENTS


def test_every_event_has_its_place_in_the_docs() -> None:
    page = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    section = page.partition("## Topic `accounts`")[2].partition("\n## ")[0]
    for event in EVENTS:
        [line] = [line for line in section.splitlines() if f"`{event.TYPE}`" in line]
        named = set(re.findall(r"`(\w+)`", line.replace(f"`{event.TYPE}`", "")))
        values = {"timeout", "reuse", "idle", "expired", "ended"}
        assert named - values == {field.name for field in msgspec.structs.fields(event)} - values, line
