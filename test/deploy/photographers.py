"""Photos that are published, voted for and commented on, and what everyone must then see of them."""

import time
from http.client import HTTPException

from support.client import Client, Reply
from support.photos import FORM, form
from support.pictures import encoded, gradient
from support.until import until

_PREFIX = "/bookshelf"
_PICTURE = encoded(gradient(900, 600), "JPEG", quality=90)
#: A service that begins, or a database that is being joined, gets time to answer.
_PATIENCE_S = 300
_PAUSE_S = 0.5


def publish(url: str, title: str) -> str:
    """Publish a photo, vote for it and comment on it; return its id once everyone sees all of that.

    A request without an answer is repeated with its key, as a client does. Raises AssertionError.
    """
    added = answered(
        url, "POST", "/photos", form(_PICTURE, title=title), Content_Type=FORM, Idempotency_Key=title
    )
    photo: str = added.json["id"]
    answered(url, "PUT", f"/photos/{photo}/vote", {"way": "up"})
    answered(url, "POST", f"/photos/{photo}/comments", {"text": "Seen"}, Idempotency_Key=f"{title}-seen")
    until(lambda: counts(url, photo) == (1, 1), f"{title} has its vote and its comment", _PATIENCE_S)
    image = answered(url, "GET", f"/photos/{photo}/image")
    assert image.headers["content-type"].startswith("image/")
    assert title.encode() in answered(url, "GET", f"/gallery/photos/{photo}", prefix="").content
    return photo


def counts(url: str, photo: str) -> tuple[int, int]:
    """Return how many votes and comments a photo is shown with; -1 for both if it is not shown."""
    reply = asked(url, "GET", f"/photos/{photo}")
    return (
        (reply.json["votes"], reply.json["comments"])
        if reply is not None and reply.status == 200
        else (-1, -1)
    )


def answered(
    url: str, method: str, path: str, body: object = None, prefix: str = _PREFIX, **headers: str
) -> Reply:
    """Repeat a request until it is answered with a success; return that answer."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        reply = asked(url, method, path, body, prefix, **headers)
        if reply is not None and reply.status < 300:
            return reply
        assert time.monotonic() < end, f"{method} {path} is answered {reply}"
        time.sleep(_PAUSE_S)  # sleep: as a client waits before it tries again


def asked(
    url: str, method: str, path: str, body: object = None, prefix: str = _PREFIX, **headers: str
) -> Reply | None:
    """Return the answer to a request; None without one."""
    try:
        return Client(url, prefix).ask(method, path, body, **headers)
    except (OSError, HTTPException):
        return None
