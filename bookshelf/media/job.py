"""What the pool sends to a worker process, and what it gets back."""

import msgspec

from bookshelf.media.port import ConvertedPicture, MadePhoto, PhotoLimits, PictureLimits


class PictureJob(msgspec.Struct, tag="picture"):
    """One picture to convert."""

    path: str
    limits: PictureLimits


class PhotoJob(msgspec.Struct, tag="photo"):
    """One photo, whose images are written into a folder."""

    path: str
    into: str
    limits: PhotoLimits


class JobResult(msgspec.Struct, omit_defaults=True):
    """The converted picture or photo; or the kind and detail of the refusal. The kind storage is none."""

    picture: ConvertedPicture | None = None
    photo: MadePhoto | None = None
    kind: str = ""
    detail: str = ""


Job = PictureJob | PhotoJob
#: The kind of a result if the disk is full, or the folder cannot be used.
STORAGE = "storage"
