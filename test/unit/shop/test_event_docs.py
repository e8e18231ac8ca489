"""docs/events.md names every event of the shop with its fields."""

import re

import msgspec
from support.process import ROOT

from bookshelf.shop.events import EVENTS


def test_every_event_has_its_place_in_the_docs() -> None:
    page = (ROOT / "docs/events.md").read_text(encoding="utf-8")
    section = page.partition("## Topic `shop`")[2].partition("\n## ")[0]
    for event in EVENTS:
        [line] = [line for line in section.splitlines() if line.startswith(f"| `{event.TYPE}`")]
        named = set(re.findall(r"`(\w+)`", line.rpartition(" | ")[2]))
        assert named == {field.name for field in msgspec.structs.fields(event)}, line
