"""The types of the fields of photos in requests, with their limits."""

from typing import Annotated

from msgspec import Meta

#: Seconds in which a photo that is sent is published, or refused.
UPLOAD_S = 600.0
TITLE_MOST, DESCRIPTION_MOST, CREDIT_MOST, REASON_MOST = 200, 2000, 200, 1000
_CONTROLS = r"\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_LINE = rf"^[^{_CONTROLS}]*[^\s{_CONTROLS}][^{_CONTROLS}]*$(?!\n)"
_MAYBE_EMPTY = rf"^[^{_CONTROLS}]*$(?!\n)"
_PROSE = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]*$"
_NO_BLANK = {"hint": "must not be blank, and has no control characters"}
_NO_CONTROL = {"hint": "has no control characters"}

Title = Annotated[
    str,
    Meta(
        max_length=TITLE_MOST,
        pattern=_LINE,
        extra=_NO_BLANK,
        description="the title",
        examples=["Low tide"],
    ),
]
Description = Annotated[
    str,
    Meta(
        max_length=DESCRIPTION_MOST,
        pattern=_PROSE,
        extra=_NO_CONTROL,
        description="what the picture shows, in words, for readers that do not see it",
        examples=["Wet sand to the horizon, and a dog"],
    ),
]
Credit = Annotated[
    str,
    Meta(
        max_length=CREDIT_MOST,
        pattern=_MAYBE_EMPTY,
        extra=_NO_CONTROL,
        description="whose picture it is, if another person took it",
        examples=["Ann Example, CC BY 4.0"],
    ),
]
Reason = Annotated[
    str,
    Meta(
        max_length=REASON_MOST,
        pattern=_PROSE,
        extra=_NO_CONTROL,
        description="why a moderator removes it",
        examples=["It shows a person without consent"],
    ),
]
