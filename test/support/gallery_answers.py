"""Answers of the API of photos, for pages over scripted answers."""

from typing import Any

ADDED = "2026-02-28T12:00:00.000000Z"


def comment(comment_id: str = "c-1", person: str = "ben", text: str = "How long was it?") -> dict[str, Any]:
    return {"id": comment_id, "person": {"id": person, "name": person.title()}, "text": text, "at": ADDED}


def photo(photo_id: str = "p-1", **changes: object) -> dict[str, Any]:
    usual = {
        "id": photo_id,
        "owner": {"id": "ann", "name": "Ann"},
        "title": "Low tide",
        "description": "Wet sand to the horizon",
        "credit": "",
        "added": ADDED,
        "width": 1600,
        "height": 1000,
        "animated": False,
        "placeholder": "",
        "images": {},
        "up": 3,
        "down": 1,
        "votes": 4,
        "score": 2,
        "percent": 75,
        "mine": None,
        "comments": 1,
        "last_comments": [comment()],
        "version": '"3"',
    }
    return usual | changes
