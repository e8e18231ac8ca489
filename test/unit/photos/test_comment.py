"""Comments: added to a photo that is there, and removed by their author, its owner or a moderator."""

from datetime import UTC, datetime

import pytest
from support.photo_events import ADDED
from support.spec import given

from bookshelf.cqrs.errors import Conflict, Gone, Invalid, NotFound, NotYours
from bookshelf.photos.comment import COMMENT, AddComment, RemoveComment
from bookshelf.photos.events import CommentAdded, CommentRemoved, PhotoRemoved

AT = datetime(2026, 11, 25, 10, tzinfo=UTC)
ADD = AddComment(person="bob", text="What a light!", at=AT)
SAID = CommentAdded(person="bob", text="What a light!", at=AT)
REMOVED = (ADDED, PhotoRemoved(reason="owner"))


def test_a_photo_that_is_there_can_be_commented_on() -> None:
    given(COMMENT, parent=[ADDED]).when(ADD).then(SAID)
    given(COMMENT).when(ADD).refused(NotFound)
    given(COMMENT, parent=REMOVED).when(ADD).refused(Gone)
    given(COMMENT, SAID, parent=[ADDED]).when(ADD).refused(Conflict, field="id")


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (RemoveComment(person="bob"), {"reason": "author"}),
        (RemoveComment(person="ann"), {"reason": "photo-owner"}),
        (RemoveComment(person="bob", deletes_profile=True), {"reason": "profile-deleted"}),
        (RemoveComment(person="mod", moderates=True, text="spam"), {"reason": "moderator", "text": "spam"}),
    ],
)
def test_a_removed_comment_has_the_reason(command: RemoveComment, reason: dict[str, str]) -> None:
    removed = CommentRemoved(**reason)
    given(COMMENT, SAID, parent=[ADDED]).when(command).then(removed)
    given(COMMENT, SAID, parent=REMOVED).when(command).then(removed)
    given(COMMENT, SAID, removed, parent=[ADDED]).when(command).then()


def test_others_cannot_remove_it() -> None:
    comment = given(COMMENT, SAID, parent=[ADDED])
    comment.when(RemoveComment(person="eve")).refused(NotYours)
    comment.when(RemoveComment(person="bob", text="a reason")).refused(Invalid, field="text")
    comment.when(RemoveComment(person="mod", moderates=True, text=" ")).refused(Invalid, field="text")


def test_a_comment_that_is_not_there_cannot_be_removed() -> None:
    given(COMMENT, parent=[ADDED]).when(RemoveComment(person="bob")).refused(NotFound)


@pytest.mark.parametrize("key", ["photo", "photo~v-ann", "photo~c-", "photo~c-1~c-2"])
def test_other_ids_are_no_comments(key: str) -> None:
    assert COMMENT.reserved_ids is not None
    assert COMMENT.reserved_ids.fullmatch(key) is not None
    assert COMMENT.reserved_ids.fullmatch("photo~c-1") is None
