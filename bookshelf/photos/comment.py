"""A comment on a photo. Its key is `PHOTO~c-ID`; the text is sealed with the key of its author."""

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Meta

from bookshelf.cqrs.aggregate import Aggregate
from bookshelf.cqrs.errors import Conflict, Invalid, NotFound, NotYours
from bookshelf.cqrs.handler import RequestContext
from bookshelf.cqrs.message import Command, Event, State, sealed
from bookshelf.cqrs.parent import parent_of
from bookshelf.cqrs.route import CommandRoute, Empty
from bookshelf.photos.events import COMMENT_EVENTS, EVENTS, TOPIC, CommentAdded, CommentRemoved
from bookshelf.photos.fields import Reason
from bookshelf.photos.parent import (
    COMMENT_PREFIX,
    PARENT,
    PublishedPhoto,
    check_known,
    check_published,
    comment_key,
)
from bookshelf.photos.person import moderates, person_of

#: Characters of a comment, and comments of one person in a minute.
COMMENT_LENGTH, COMMENTS_A_MINUTE = 255, 60
_CONTROLS = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_TEXT = rf"^[^{_CONTROLS}]*[^\s{_CONTROLS}][^{_CONTROLS}]*$(?!\n)"
_TEXT_IS = {"hint": "must not be blank, and has no control characters"}


class AddComment(Command, frozen=True, kw_only=True):
    """Comment on a photo, as this person."""

    TYPE: ClassVar[str] = "photos.add-comment.v1"
    person: str
    text: Annotated[str, sealed("comment")]
    at: datetime


class RemoveComment(Command, frozen=True, kw_only=True):
    """Show the comment no more, as this person; also one on a removed photo.

    `moderates`: the person may remove comments of others, for a reason, the `text`. `deletes_profile`: all
    that the person has published is removed.
    """

    TYPE: ClassVar[str] = "photos.remove-comment.v1"
    person: str
    moderates: bool = False
    text: str = ""
    deletes_profile: bool = False


class Comment(State, frozen=True):
    """A comment; one without `person` was not added. A removed one has its author alone."""

    person: str = ""
    text: Annotated[str, sealed("comment")] = ""
    at: datetime | None = None
    removed: bool = False


def decide(state: Comment, command: Command, photo: PublishedPhoto) -> list[Event]:
    """Return the events of a command. Raises `Conflict`, `Gone`, `Invalid`, `NotFound`, `NotYours`."""
    match command:
        case AddComment(person=person, text=text, at=at):
            check_published(photo)
            if state.person:
                raise Conflict("this id is taken", field="id")
            return [CommentAdded(person=person, text=text, at=at)]
        case RemoveComment():
            check_known(photo)
            if not state.person:
                raise NotFound("there is no such comment")
            return [] if state.removed else [CommentRemoved(**_reason(state, command, photo))]
    return []


def _reason(state: Comment, command: RemoveComment, photo: PublishedPhoto) -> dict[str, str]:
    if command.person in {state.person, photo.owner} and not command.text:
        if command.deletes_profile:
            return {"reason": "profile-deleted"}
        return {"reason": "author" if command.person == state.person else "photo-owner"}
    if not command.moderates:
        if command.person in {state.person, photo.owner}:
            raise Invalid("is the reason of a moderator; leave it out here", field="text")
        raise NotYours("this is the comment of another person on another person's photo; nothing was changed")
    if not command.text.strip():
        raise Invalid("is needed: the reason for the removal", field="text")
    return {"reason": "moderator", "text": command.text}


def evolve(state: Comment, event: Event) -> Comment:
    """Return the comment after an event."""
    match event:
        case CommentAdded(person=person, text=text, at=at):
            return Comment(person=person, text=text, at=at)
        case CommentRemoved():
            return Comment(person=state.person, removed=True)
    return state


COMMENT = Aggregate(
    name="comment",
    topic=TOPIC,
    catalogue=EVENTS,
    initial=Comment(),
    decide=decide,
    evolve=evolve,
    takes=(AddComment, RemoveComment),
    reserved_ids=re.compile(r"(?![^~]+~c-[^~]+\Z).*", re.DOTALL),
    folds=COMMENT_EVENTS,
    parent=PARENT,
)


class CommentAnswer(msgspec.Struct, frozen=True):
    """A comment as it was added."""

    id: str
    photo: str
    person: str
    text: Annotated[str, sealed("comment")]
    at: Annotated[str, Meta(examples=["2026-11-25T09:30:00.123456Z"])]


class CommentRemoval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which comment, and why a moderator removes it."""

    comment: Annotated[str, Meta(description="the id of a comment", examples=["c-1"])]
    text: Reason = ""


def _answer(key: str, state: Comment) -> CommentAnswer:
    _, _, comment = key.partition(f"~{COMMENT_PREFIX}")
    at = "" if state.at is None else f"{state.at:%Y-%m-%dT%H:%M:%S.%f}Z"
    return CommentAnswer(comment, parent_of(key), state.person, state.text, at)


def _body(length: int) -> type[msgspec.Struct]:
    """Return the type of the body of a comment of up to `length` characters."""
    text = Annotated[
        str,
        Meta(max_length=length, pattern=_TEXT, extra=_TEXT_IS, examples=["What a light!"]),
        sealed("comment"),
    ]
    return msgspec.defstruct(
        "CommentBody", [("text", text)], frozen=True, forbid_unknown_fields=True, module=__name__
    )


def _add(body: Any, context: RequestContext) -> AddComment:  # noqa: ANN401 (of a type that is made)
    return AddComment(person=person_of(context.caller), text=body.text, at=context.at)


def _remove(_body: Empty, context: RequestContext) -> RemoveComment:
    caller = context.caller
    return RemoveComment(person=person_of(caller), moderates=moderates(caller), text=context.params.text)


def comment_routes(
    length: int = COMMENT_LENGTH, per_minute: int = COMMENTS_A_MINUTE
) -> tuple[CommandRoute, ...]:
    """Return the routes that change comments, for texts of up to `length` characters."""
    return (
        CommandRoute(
            method="POST",
            path="/photos/{id}/comments",
            summary="Comment on a photo",
            aggregate=COMMENT,
            body=_body(length),
            command=_add,
            creates=True,
            child=COMMENT_PREFIX,
            answer=_answer,
            returns=CommentAnswer,
            location="/photos/{body.photo}/comments/{body.id}",
            status=201,
            per_minute=per_minute,
        ),
        CommandRoute(
            method="DELETE",
            path="/photos/{id}/comments/{comment}",
            summary="Remove a comment",
            aggregate=COMMENT,
            body=Empty,
            body_required=False,
            params=CommentRemoval,
            command=_remove,
            subject=lambda _body, context: comment_key(context.path["id"], context.params.comment),
        ),
    )
