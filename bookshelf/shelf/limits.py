"""The limits of the shelf's fields and of library files, used by the API and by imports alike.

Lengths are in characters (code points), sizes in bytes. A limit is never lowered: accepted values stay valid.
"""

TITLE_MAX = 1000
AUTHOR_MAX = 1000
NAME_MAX = 1000
PUBLISHED_MAX = 50
LANGUAGE_MAX = 35
FORMAT_MAX = 40
ROLE_MAX = 40
TAG_MAX = 100
TAGS_MAX = 200
CONTRIBUTORS_MAX = 50
SERIES_MAX = 20
SERIES_NUMBER_MAX = 20
IDS_MAX = 20
SCHEME_MAX = 40
ID_MAX = 200
EXTRA_MAX = 50
EXTRA_NAME_MAX = 200
EXTRA_VALUE_MAX = 10_000
NOTES_MAX = 50_000
REVIEW_MAX = 50_000
DESCRIPTION_MAX = 50_000
PASSAGE_MAX = 10_000
REASON_MAX = 10_000
PAGES_MIN = 1
PAGES_MAX = 100_000
MINUTES_MAX = 100_000
COPIES_MAX = 10_000
RATING_MIN = 1
RATING_MAX = 5
STARS_MIN = 0.25
STARS_MAX = 5
READINGS_MAX = 500
PROGRESS_ENTRIES_MAX = 5000
PASSAGES_MAX = 5000
LIST_BOOKS_MAX = 5000
RANK_MAX = 100

FILE_MAX = 1024**3
"""Bytes of the largest file that is read: several million books."""

COVER_BYTES = 2 * 1024**2
"""Bytes of the picture of a cover in an archive of a shelf."""

RECORD_MAX = 1_000_000
"""Characters of the longest record; csv itself stops at 131,072 in one cell."""

REREADS_MAX = 300
"""How often a file may be read again from inside a broken record: keeps the time linear."""
