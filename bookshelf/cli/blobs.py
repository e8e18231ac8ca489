"""Opens the blob storage of the setting `blobs`: a folder, or a bucket of S3."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from bookshelf.config import Settings, WrongSetting, missing_extra
from bookshelf.media.folder import UNFINISHED, FolderBlobs
from bookshelf.media.port import BlobStore

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_ENDPOINT = re.compile(r"https?://(\[[0-9a-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?/?", re.ASCII)
_WRONG = (
    "blobs (or BOOKSHELF_BLOBS): must be a folder, like /srv/bookshelf/blobs, or a bucket,"
    " like s3://bucket or s3://bucket?endpoint=https://s3.example:9000"
)


def open_blobs(settings: Settings) -> BlobStore:
    """Return the blob storage; nothing is read or sent yet. Raises `WrongSetting`."""
    if not settings.has_bucket:
        return FolderBlobs(settings.blob_folder)
    bucket, endpoint = _address(settings.blobs)
    try:
        # an extra, needed only if a bucket is set
        from bookshelf.media.s3 import S3Blobs, open_bucket  # noqa: PLC0415
    except ModuleNotFoundError as fault:
        raise missing_extra("the setting `blobs`", fault, "s3") from None
    return S3Blobs(open_bucket(bucket, endpoint), Path(settings.folder) / "blobs" / UNFINISHED)


def _address(text: str) -> tuple[str, str | None]:
    """Return the bucket and the endpoint of an address. Raises `WrongSetting`."""
    try:
        parts = urlsplit(text)
        given = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise WrongSetting(_WRONG) from None
    options = dict(given)
    endpoint = options.pop("endpoint", None)
    if (
        not text.isprintable()  # urlsplit removes newlines
        or parts.scheme != "s3"
        or _BUCKET.fullmatch(parts.netloc) is None
        or parts.path not in {"", "/"}
        or parts.fragment
        or options
        or len(given) > 1
        or (endpoint is not None and _ENDPOINT.fullmatch(endpoint) is None)
    ):
        raise WrongSetting(_WRONG)
    return parts.netloc, endpoint
