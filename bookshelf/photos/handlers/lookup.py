"""Answers with up to 100 photos by their ids: a request with a body, so that no address is too long."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.view import View
from bookshelf.http.message import Request, Response
from bookshelf.photos.person import person_of
from bookshelf.photos.timelines import queries
from bookshelf.photos.timelines.answers import PersonName, ShownComment, WholePhoto
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.bodies import json_answer, read_body
from bookshelf.runtime.decoding import decoder_of

_FORGOTTEN = "forgotten"


class PhotoLookup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ids of photos."""

    ids: Annotated[
        tuple[Annotated[str, Meta(max_length=200)], ...],
        Meta(max_length=100, description="the ids", examples=[["5b1f6f0e-6a9b-5d0c-9f43-8f9a7a1f2b11"]]),
    ]


_decoder = decoder_of(PhotoLookup)


def lookup_route(view: View) -> HandlerRoute:
    """Return the route, which reads the rows of this view of timelines."""

    async def look_up(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer with the photos that are there, in the sequence of their ids. Raises `Problem`."""
        asked: PhotoLookup = await read_body(request, _decoder)
        ids, caller = dict.fromkeys(asked.ids), person_of(context.caller)

        def read(db: Any) -> dict[str, WholePhoto]:  # noqa: ANN401 (the storage's connection)
            return queries.photos_by_id(db, ids, caller)

        after, to_end = header_fields.after(request.headers), header_fields.to_end(request.headers)
        found = await ports.query(view, read, after, to_end=to_end)
        return json_answer(200, [await _opened(ports, found[photo]) for photo in ids if photo in found])

    return HandlerRoute(
        method="POST",
        path="/photos/lookup",
        summary="Photos by their ids",
        handler=look_up,
        requires=None,
        body=PhotoLookup,
        returns=list[WholePhoto],
    )


async def _opened(ports: HandlerPorts, photo: WholePhoto) -> WholePhoto:
    """Return a photo with the plain texts of names and comments."""
    said = [await _opened_comment(ports, comment) for comment in photo.last_comments]
    return msgspec.structs.replace(photo, owner=await _named(ports, photo.owner), last_comments=tuple(said))


async def _opened_comment(ports: HandlerPorts, comment: ShownComment) -> ShownComment:
    text = await ports.open(comment.text, "comment")
    person = await _named(ports, comment.person)
    return msgspec.structs.replace(comment, person=person, text=_FORGOTTEN if text is None else text)


async def _named(ports: HandlerPorts, person: PersonName) -> PersonName:
    name = None if person.name is None else await ports.open(person.name, "name")
    return PersonName(person.id, name)
