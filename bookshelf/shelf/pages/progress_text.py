"""How far a reading has come, as readers type it: a page, percent, or hours and minutes."""

import re
from collections.abc import Mapping
from typing import Any

_NUMBER = r"(\d{1,6})"
_PAGE = re.compile(
    rf"(?:p(?:age|g)?\.?|s(?:eite)?\.?)?\s*{_NUMBER}(?:\s*(?:/|of|von)\s*{_NUMBER})?", re.IGNORECASE
)
_PERCENT = re.compile(r"(\d{1,3}(?:[.,]\d)?)\s*(?:%|percent|prozent)", re.IGNORECASE)
_HOURS = re.compile(
    rf"{_NUMBER}\s*(?:h|hours?|std\.?|:)\s*(?:(\d{{1,2}})\s*(?:m|min\.?|minutes?)?)?", re.IGNORECASE
)
_MINUTES = re.compile(rf"{_NUMBER}\s*(?:m|min\.?|minutes?|minuten)", re.IGNORECASE)


def read_progress(text: str) -> dict[str, Any] | None:
    """Return the progress of an API request for a text ("212", "212/412", "51 %", "3h10", "190 min")."""
    text = text.strip()
    if found := _PERCENT.fullmatch(text):
        return {"percent": float(found[1].replace(",", "."))}
    if found := _HOURS.fullmatch(text):
        return {"minutes": 60 * int(found[1]) + int(found[2] or 0)}
    if found := _MINUTES.fullmatch(text):
        return {"minutes": int(found[1])}
    if found := _PAGE.fullmatch(text):
        return {"page": int(found[1]), **({"of": int(found[2])} if found[2] else {})}
    return None


def write_progress(progress: Mapping[str, Any] | None) -> str:
    """Return what a reader would type for the progress of an API answer; "" if it has none."""
    match progress:
        case {"page": page}:
            return str(page)
        case {"percent": percent}:
            return f"{percent:g} %"
        case {"minutes": minutes}:
            return f"{minutes // 60}h{minutes % 60:02}"
    return ""
