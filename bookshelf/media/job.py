"""What the pool sends to a worker process, and what it gets back."""

import msgspec

from bookshelf.media.port import ConvertedPicture, PictureLimits


class PictureJob(msgspec.Struct):
    """One picture to convert."""

    path: str
    limits: PictureLimits


class JobResult(msgspec.Struct, omit_defaults=True):
    """The converted picture; or the kind and detail of the refusal."""

    picture: ConvertedPicture | None = None
    kind: str = ""
    detail: str = ""
