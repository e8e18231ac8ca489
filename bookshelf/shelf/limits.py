"""The limits of the shelf's fields and of library files, used by the API and by imports alike.

Lengths are in characters (code points), sizes in bytes.
"""

TITLE_MAX = 1000
AUTHOR_MAX = 1000
PUBLISHED_MAX = 50
LANGUAGE_MAX = 35
TAG_MAX = 100
TAGS_MAX = 50
NOTES_MAX = 10_000
REVIEW_MAX = 10_000
PAGES_MIN = 1
PAGES_MAX = 100_000
RATING_MIN = 1
RATING_MAX = 5

FILE_MAX = 1024**3
"""Bytes of the largest file that is read: several million books."""

RECORD_MAX = 1_000_000
"""Characters of the longest record; csv itself stops at 131,072 in one cell."""

REREADS_MAX = 300
"""How often a file may be read again from inside a broken record: keeps the time linear."""
