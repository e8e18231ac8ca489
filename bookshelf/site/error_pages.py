"""The pages for errors: what happened, what to do, and everything that was typed."""

from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import unquote_plus

from bookshelf.site.page import Model, Page, _
from bookshelf.site.page_request import Submission

TEMPLATE = "error.html"


class ErrorText(NamedTuple):
    """The heading of an error page, and what to do."""

    heading: str
    advice: str


_TEXTS: Mapping[int, ErrorText] = {
    400: ErrorText(_("This request cannot be read"), _("Go back and try it once more.")),
    401: ErrorText(
        _("Sign in to go on"),
        _("Nothing is lost: what you have typed is below. Sign in in another tab, then send it again."),
    ),
    403: ErrorText(
        _("You may not see or change this"),
        _("It belongs to others, or needs a right that your account does not have."),
    ),
    404: ErrorText(
        _("There is nothing at this address"),
        _("It may be mistyped, or what was here is gone. Search for it, or start from the home page."),
    ),
    405: ErrorText(_("This address cannot be used like that"), _("Start from the home page.")),
    410: ErrorText(_("This is not here any more"), _("It was removed. Start from the home page.")),
    413: ErrorText(_("That is too large"), _("Choose a smaller file, or shorten the text.")),
    421: ErrorText(
        _("This site has another name"),
        _("Open it under the address that it was started with."),
    ),
    422: ErrorText(_("Something in this address is wrong"), _("Go back, or start from the home page.")),
    503: ErrorText(
        _("This cannot be read right now"),
        _("Nothing is lost. Try again in a moment."),
    ),
}
_OTHER = ErrorText(
    _("Something went wrong here"), _("It was noted. Go back and try again, or start from the home page.")
)
#: What a form is refused with that a page of another site has sent.
_FROM_ELSEWHERE = ErrorText(
    _("This is not allowed from here"),
    _("Send the form from a page of this site. If you have typed something, it is below."),
)
_CROSS_ORIGIN = "cross-origin"
#: Statuses that are shown as another one: what a reader can do is the same.
_SAME = {408: 503, 409: 422, 412: 422, 429: 503, 502: 503, 504: 503}
#: What a refusal of the API means, by the kind of its problem: shown where its text has no translation.
_REFUSALS: Mapping[str, str] = {
    "invalid": _("This value is not accepted. Look at it again."),
    "malformed": _("This could not be read. Reload the page, and send it again."),
    "conflict": _(
        "This is not possible as things are now. They may have changed meanwhile: reload the page."
    ),
    "refused": _("This is not possible."),
    "held-back": _("This is held back, because something has to be repaired. Try again tomorrow."),
    "fenced": _("Another program has taken this over. Reload the page, and try again."),
    "key-reused": _("This was sent before with other content. Reload the page, and send it again."),
    "forbidden": _("You may not do this."),
    "not-found": _("This is not there any more."),
    "too-large": _("This is too large."),
    "media-type": _("A file like this is not accepted."),
    "too-many": _("This was tried too often. Wait a while, and try again."),
}
_UNKNOWN = _("This cannot be done right now. Nothing is lost: try again in a moment.")
#: Names of inputs that a reader has not typed.
_HIDDEN = "_"


class ErrorModel(Model):
    """What an error page shows: `typed` are the fields of a form that was not carried out."""

    status: int
    heading: str
    advice: str
    detail: str
    words: str
    request_id: str
    action: str
    typed: tuple[tuple[str, str], ...]


def error_page(
    status: int,
    *,
    kind: str = "",
    detail: str = "",
    address: str = "",
    request_id: str = "",
    sent: Submission | None = None,
) -> Page:
    """Return the page for an error, or for a problem of a kind; its texts are those of the sources."""
    text = _FROM_ELSEWHERE if kind == _CROSS_ORIGIN else _TEXTS.get(_SAME.get(status, status), _OTHER)
    model = ErrorModel(
        status=status,
        heading=text.heading,
        advice=text.advice,
        detail=detail,
        words=address_words(address) if status == 404 else "",  # noqa: PLR2004 (nothing found)
        request_id=request_id,
        action=address,
        typed=typed_fields(sent) if sent is not None else (),
    )
    return Page(TEMPLATE, model, title=text.heading, status=status)


def refusal_text(kind: str, detail: str, translate: Callable[[str], str], *, as_it_is: bool) -> str:
    """Return what a person reads of a refusal of the API.

    That is its own text if it has a translation, or `as_it_is`, where it is in their language; else what its
    kind means.
    """
    if as_it_is or not detail or translate(detail) != detail:
        return translate(detail)
    return translate(_REFUSALS.get(kind, _UNKNOWN))


def typed_fields(sent: Submission) -> tuple[tuple[str, str], ...]:
    """Return the names and texts of a form, without those that no reader typed, and without passwords."""
    return tuple(
        (name, text) for name in sent.values for text in sent.typed(name) if not name.startswith(_HIDDEN)
    )


def address_words(address: str) -> str:
    """Return the words of an address's last part, to search for."""
    last = unquote_plus(address.partition("?")[0].rstrip("/").rpartition("/")[2], errors="replace")
    return " ".join(last.replace("-", " ").replace("_", " ").replace(".", " ").split())[:100]


def examples() -> Mapping[str, Page]:
    """Return error pages by the name of their state."""
    sent = Submission(values={"review": ("A long evening with it.",), "stars": ("4.5",)})
    return {
        "not found": error_page(404, address="/books/the-left-hand-of-darkness", request_id="7f3a9c"),
        "gone": error_page(410, address="/gallery/photos/1", request_id="7f3a9c"),
        "unavailable": error_page(503, address="/books", request_id="7f3a9c"),
        "signed out": error_page(401, address="/books/1/finish", request_id="7f3a9c", sent=sent),
        "forbidden": error_page(403, address="/manage", request_id="7f3a9c"),
        "refused": error_page(
            403, kind=_CROSS_ORIGIN, address="/books/1/finish", request_id="7f3a9c", sent=sent
        ),
    }
