"""The connector that deletes profiles: it removes what the rows of the timelines list of a person.

In each round it waits until the view has all that is in the log, so an empty list means that nothing is left.
Later it looks twice for what was under way: what a person publishes after the deletion stays.
Each command may be repeated; a second one on the same photo, comment or vote gives no event.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select

from bookshelf.cqrs.connector import Call, Connector
from bookshelf.cqrs.handler import HandlerPorts
from bookshelf.cqrs.process import Send
from bookshelf.cqrs.view import Recorded, View
from bookshelf.photos.comment import COMMENT, RemoveComment
from bookshelf.photos.events import EVENTS, TOPIC, ProfileClosing, ProfileRechecked
from bookshelf.photos.parent import comment_key, vote_key
from bookshelf.photos.photo import PHOTO, RemovePhoto
from bookshelf.photos.profile import PROFILE, CompleteClosing
from bookshelf.photos.timelines.handlers import micros
from bookshelf.photos.timelines.tables import LIVE, comments, photos, votes
from bookshelf.photos.vote import VOTE, WithdrawVote

#: What is removed in one round, at the most.
ROUND_MOST = 1000


def left_of(
    db: Any,  # noqa: ANN401 (the storage's connection)
    person: str,
    most: int = ROUND_MOST,
    until: datetime | None = None,
) -> list[Send]:
    """Return the commands that remove what a person has published: up to `most`, votes last.

    With `until`, only what was published up to that time.
    """
    photos_until, comments_until, votes_until = (
        () if until is None else (time <= micros(until),)
        for time in (photos.c.added, comments.c.at, votes.c.at)
    )
    live = (photos.c.owner == person, photos.c.state == LIVE, *photos_until)
    own = select(photos.c.id).where(*live).limit(most)
    removal = RemovePhoto(person=person, deletes_profile=True)
    sends = [Send(PHOTO, row.id, removal) for row in db.execute(own)]
    said = select(comments.c.photo, comments.c.id).where(comments.c.person == person, *comments_until)
    for row in db.execute(said.limit(max(0, most - len(sends)))):
        key = comment_key(row.photo, row.id)
        sends.append(Send(COMMENT, key, RemoveComment(person=person, deletes_profile=True)))
    cast = select(votes.c.photo).where(votes.c.person == person, *votes_until)
    withdrawn = [vote_key(row.photo, person) for row in db.execute(cast.limit(max(0, most - len(sends))))]
    return sends + [Send(VOTE, key, WithdrawVote()) for key in withdrawn]


def profile_deletion(view: View) -> Connector:
    """Return the connector, which runs in the service of this view."""

    async def remove_the_rest(
        _event: ProfileClosing, recorded: Recorded, _key: str, ports: HandlerPorts
    ) -> Iterable[Send]:
        """Remove what is left of a person, or complete the deletion."""
        person = recorded.subject
        left = await ports.query(view, lambda db: left_of(db, person), to_end=True)
        return left or [Send(PROFILE, person, CompleteClosing())]

    async def remove_latecomers(
        event: ProfileRechecked, recorded: Recorded, _key: str, ports: HandlerPorts
    ) -> Iterable[Send]:
        """Remove what was under way during the deletion, and nothing that was published since."""
        person, until = recorded.subject, event.until
        return await ports.query(view, lambda db: left_of(db, person, until=until), to_end=True)

    rest: Call = remove_the_rest
    late: Call = remove_latecomers
    return Connector(
        name="profile-deletion",
        topic=TOPIC,
        catalogue=EVENTS,
        calls={ProfileClosing: rest, ProfileRechecked: late},
        deadline_s=60.0,
    )
