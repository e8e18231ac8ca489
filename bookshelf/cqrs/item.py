"""What a rollout changes: items of a domain's configuration, and what is wrong with one."""

from hashlib import sha256
from typing import Literal

import msgspec

Kind = Literal["settings", "gateway", "policy", "package"]
#: The most bytes of an item's content in an event.
CONTENT_BYTES = 64 << 10


class ItemChange(msgspec.Struct, frozen=True):
    """One change of a rollout; (kind, name) is the item that it puts in place or removes.

    `name`: of the service of a policy, of the group of a package; else empty. `digest`: SHA-256 in hex, of
    the content, or of the archive of a package. `content`: TOML; of a package nothing, as it is fetched by
    its digest.
    """

    kind: Kind
    name: str
    action: Literal["put", "remove"]
    digest: str = ""
    content: str = ""


class ItemProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with an item: in which file, at which line and column (from 1), with which field.

    `near`: the nearest existing name, for an unknown one.
    """

    file: str
    detail: str
    field: str = ""
    line: int = 0
    column: int = 0
    near: str = ""

    def __str__(self) -> str:
        """Return the problem as one sentence."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        near = f"; did you mean {self.near}?" if self.near else ""
        return f"{place}: {self.field and f'{self.field} '}{self.detail}{near}"


def digest_of(content: bytes) -> str:
    """Return the digest of content."""
    return sha256(content).hexdigest()
