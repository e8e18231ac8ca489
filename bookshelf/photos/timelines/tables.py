"""The tables of the view of timelines.

Times are microseconds since 1970. Rows of removed photos stay: every query excludes them by their state.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table

from bookshelf.storage.statements import TEXT

#: The states of a photo and of a person.
LIVE, REMOVED = 0, 1
OPEN, CLOSING, CLOSED = 0, 1, 2

TABLES = MetaData()


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, TEXT, nullable=False)


photos = Table(
    "timeline_photo",
    TABLES,
    Column("id", TEXT, primary_key=True),
    _text("owner"),
    _text("title"),
    _text("description"),
    _text("credit"),
    _text("shown"),
    _number("added"),
    Column("state", Integer, nullable=False),
    _number("up"),
    _number("down"),
    _number("score"),
    _number("comments"),
    _number("version"),
)
Index("timeline_photo_fresh", photos.c.state, photos.c.added, photos.c.id)
Index("timeline_photo_trending", photos.c.state, photos.c.score, photos.c.added, photos.c.id)
# unique, so that MariaDB has the whole owner in the index and can sort by it
Index("timeline_photo_owner", photos.c.owner, photos.c.state, photos.c.added, photos.c.id, unique=True)
#: What of a photo never changes while it is live: votes and comments read it, so that they need not follow
#: each change of its counts.
facts = Table(
    "timeline_fact",
    TABLES,
    Column("photo", TEXT, primary_key=True),
    _number("added"),
    Column("state", Integer, nullable=False),
)
votes = Table(
    "timeline_vote",
    TABLES,
    Column("person", TEXT, primary_key=True),
    Column("photo", TEXT, primary_key=True),
    Column("way", Integer, nullable=False),
    _number("at"),
)
Index("timeline_vote_at", votes.c.person, votes.c.at, votes.c.photo)
Index("timeline_vote_photo", votes.c.photo)
days = Table(
    "timeline_day",
    TABLES,
    Column("day", TEXT, primary_key=True),
    Column("photo", TEXT, primary_key=True),
    _number("score"),
    _number("up"),
    _number("down"),
    _number("added"),
)
Index("timeline_day_score", days.c.day, days.c.score, days.c.added, days.c.photo)
comments = Table(
    "timeline_comment",
    TABLES,
    Column("photo", TEXT, primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
    Column("id", TEXT, primary_key=True),
    _text("person"),
    _text("text"),
)
Index("timeline_comment_person", comments.c.person, comments.c.at, comments.c.id, unique=True)
Index("timeline_comment_id", comments.c.id)
people = Table(
    "timeline_person",
    TABLES,
    Column("id", TEXT, primary_key=True),
    _text("name"),
    _text("about"),
    _text("avatar"),
    _number("since"),
    Column("state", Integer, nullable=False),
)
