"""The person that a request of photos comes from, as keys of records name persons."""

import re
from base64 import urlsafe_b64encode
from hashlib import sha256

from bookshelf.cqrs.handler import Caller

#: The person while there are no accounts.
LOCAL_READER = "a-reader"
#: The name of that person.
READER_NAME = "Reader"
#: The scope of callers that may remove what others have published.
MODERATE = ("photos:moderate",)
_PLAIN = re.compile(r"[A-Za-z0-9._:@-]{1,100}", re.ASCII)
_DIGEST_LENGTH = 22


def person_key(person: str) -> str:
    """Return a person's id as a part of a key; one with other characters is named by its digest."""
    if _PLAIN.fullmatch(person) is not None:
        return person
    return urlsafe_b64encode(sha256(person.encode()).digest()).decode()[:_DIGEST_LENGTH]


def person_of(caller: Caller) -> str:
    """Return the person that a caller is; the local reader is one, too."""
    return person_key(caller.owner or LOCAL_READER)


def moderates(caller: Caller) -> bool:
    """Return True if a caller may remove what others have published."""
    return caller.may(MODERATE)
