"""What is kept of an uploaded picture: itself, at most 2048 pixels wide, and two smaller renditions."""

from bookshelf.media.port import PictureLimits

NAMESPACE = "files"
#: The widths of the smaller renditions, which a request names as `size`.
SIZES = (600, 200)
LIMITS = PictureLimits(widths=(2048, *SIZES), frames=100, memory=512 << 20, cpu_s=10)


def rendition_name(file_id: str, size: int | None = None) -> str:
    """Return the name of a rendition in the blob storage; without a size that of the picture itself."""
    return f"{NAMESPACE}/{file_id}" if size is None else f"{NAMESPACE}/{file_id}-{size}"


def rendition_names(file_id: str) -> list[str]:
    """Return the names of everything that is stored of a picture, itself first."""
    return [rendition_name(file_id, size) for size in (None, *SIZES)]
