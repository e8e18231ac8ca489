"""Makes the images of a photo: stills in several widths, the largest image, and a tiny placeholder.

It runs in a worker process only (`worker.py`): its input is not trusted. Every image is made of pixels that
are pasted into a new one, so nothing else of the file can come along. Colours become sRGB.
"""

import io
from hashlib import blake2b
from pathlib import Path

import msgspec
from PIL import Image, ImageOps

from bookshelf.media.conversion import ORIENTATION, check_size, in_srgb, opened_picture, true_colour
from bookshelf.media.gif_frames import count_frames
from bookshelf.media.port import MadeImage, MadePhoto, PhotoLimits, PictureRefused

JPEG, PNG, WEBP = "image/jpeg", "image/png", "image/webp"
#: JPEG, and its form of many cameras that has a preview or a map of depths after the picture.
_JPEGS = frozenset({"JPEG", "MPO"})
_STILL_QUALITY, _MASTER_QUALITY, _MOVING_QUALITY = 82, 90, 75
#: A PNG of fewer pixels stays one.
_SMALL = 1_000_000
#: Up to how many times the wanted size a picture is reduced in one cheap step, before it is resized.
_GAP = 3.0
#: A still is at most so many times as high as wide.
_TALL = 4
#: The width of a placeholder, and the qualities that are tried until it is small enough.
_TINY, _TINY_QUALITIES = 16, (60, 30, 10, 0)
#: Milliseconds of a frame that names none, and the least that browsers show.
_FRAME_MS, _LEAST_MS = 100, 20
#: The bytes, size in pixels and media type of an image.
_Encoded = tuple[bytes, tuple[int, int], str]


def make_photo(path: Path, into: Path, limits: PhotoLimits) -> MadePhoto:
    """Write the images of a photo into a folder. Raises `PictureRefused`, `OSError`."""
    with opened_picture(path) as source:
        frames = _check(source, path, limits)
        first = _upright(source, limits.master)
        stills = _stills(first, limits.widths)
        tiny = _placeholder(first, limits.placeholder)
        is_png = source.format == "PNG"
        master = _moving(source, frames, limits.moving) if frames > 1 else _master(first, is_png=is_png)
    return MadePhoto(
        master=_write(master, into / "master"),
        stills=tuple(_write(still, into / "still-{}x{}".format(*still[1])) for still in stills),
        placeholder=tiny,
        animated=frames > 1,
    )


def _check(source: Image.Image, path: Path, limits: PhotoLimits) -> int:
    """Return the number of frames. Raises `PictureRefused` if it has too many pixels or frames."""
    check_size(source, msgspec.structs.replace(limits, frames=None))
    most = limits.frames or 1
    # Pillow reads a whole file to count its frames; here a GIF is read up to the limit
    if source.format == "GIF":
        frames = count_frames(path, most + 1)
    else:
        frames = 1 if source.format in _JPEGS else getattr(source, "n_frames", 1)
    if frames > most:
        raise PictureRefused("frames", f"has over {most} frames, which are accepted")
    pixels = frames * source.width * source.height
    if frames > 1 and pixels > limits.frames_pixels:
        accepted = limits.frames_pixels // 1_000_000
        raise PictureRefused(
            "pixels", f"has {pixels} pixels in all frames; {accepted} megapixels are accepted"
        )
    return int(frames)


def _upright(source: Image.Image, side: int) -> Image.Image:
    """Return the present frame upright, in sRGB or grey, with at most this longest side.

    Only one copy of all pixels is made: the next steps have those that are left.
    """
    orientation = source.getexif().get(ORIENTATION)
    profile = source.info.get("icc_profile")
    if source.format in _JPEGS:
        source.draft(source.mode, _fitted(source.size, side))  # it is decoded at about the size needed
    source.load()
    grey = source.mode == "L" and not source.has_transparency_data
    small = _resized(source if grey else true_colour(source), _fitted(source.size, side))
    if orientation is not None:
        small.getexif()[ORIENTATION] = orientation
        small = ImageOps.exif_transpose(small)
    shown = small if grey else in_srgb(small, profile)
    pixels = Image.new(shown.mode, shown.size)
    pixels.paste(shown)
    return pixels


def _fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    if size == picture.size:
        return picture
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=_GAP)


def _stills(picture: Image.Image, widths: tuple[int, ...]) -> list[_Encoded]:
    """Return WebP files in these widths, the smallest first: none enlarged, and none twice."""
    made: dict[tuple[int, int], Image.Image] = {}
    for width in sorted(widths, reverse=True):
        scale = min(1.0, width / picture.width, _TALL * width / picture.height)
        size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
        picture = _resized(picture, size)
        made.setdefault(size, picture)
    return [
        (_encoded(still, "WEBP", quality=_STILL_QUALITY, method=4), size, WEBP)
        for size, still in sorted(made.items())
    ]


def _master(picture: Image.Image, *, is_png: bool) -> _Encoded:
    """Return the largest image: a JPEG, or a PNG if it was one and is small or transparent."""
    transparent = picture.mode == "RGBA"
    if transparent and not is_png:
        content = _encoded(picture, "WEBP", quality=_MASTER_QUALITY, method=4)
        return content, picture.size, WEBP
    if is_png and (transparent or picture.width * picture.height < _SMALL):
        return _encoded(picture, "PNG", optimize=False), picture.size, PNG
    return _encoded(picture, "JPEG", quality=_MASTER_QUALITY, progressive=True), picture.size, JPEG


def _placeholder(picture: Image.Image, most: int) -> bytes:
    """Return a tiny WebP picture. Raises `PictureRefused` if none is small enough."""
    height = max(1, min(_TALL * _TINY, round(picture.height * _TINY / picture.width)))
    tiny = picture.resize((_TINY, height), Image.Resampling.BOX, reducing_gap=_GAP)
    for quality in _TINY_QUALITIES:
        content = _encoded(tiny, "WEBP", quality=quality, alpha_quality=quality, method=6)
        if len(content) <= most:
            return content
    flat = tiny.resize((1, 1), Image.Resampling.BOX).resize(tiny.size)
    return _encoded(flat, "WEBP", quality=0, alpha_quality=0, method=6)


def _moving(source: Image.Image, frames: int, side: int) -> _Encoded:
    """Return the animation as WebP. Its frames are decoded one after the other, and none is kept."""
    steps = _Frames(source, frames, side)
    steps.seek(0)
    content = _encoded(
        steps,
        "WEBP",
        save_all=True,
        duration=steps.durations,
        loop=_plays(source),
        background=(0, 0, 0, 0),
        quality=_MOVING_QUALITY,
        method=0,
    )
    return content, steps.size, WEBP


def _plays(source: Image.Image) -> int:
    """Return how often an animation plays, 0 for without end. A GIF that does not name it plays once."""
    once = 1 if source.format == "GIF" else 0
    return int(source.info.get("loop", once)) & 0xFFFF


class _Frames(Image.Image):
    """The frames of an animation as they are encoded: each is read when it is sought."""

    def __init__(self, source: Image.Image, frames: int, side: int) -> None:
        super().__init__()
        self._source = source
        self._side = side
        self._place = 0
        self.n_frames = frames
        #: Milliseconds of each frame that was read.
        self.durations: list[int] = []

    def seek(self, frame: int) -> None:
        """Read a frame."""
        self._source.seek(frame)
        shown = _upright(self._source, self._side).convert("RGBA")
        self.im = shown.im
        self._mode, self._size = shown.mode, shown.size
        self._place = frame
        if frame == len(self.durations):
            self.durations.append(max(_LEAST_MS, int(self._source.info.get("duration") or _FRAME_MS)))

    def tell(self) -> int:
        """Return the number of the present frame."""
        return self._place


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _write(image: _Encoded, file: Path) -> MadeImage:
    content, (width, height), kind = image
    file.write_bytes(content)
    digest = blake2b(content, digest_size=32).hexdigest()
    return MadeImage(file=file.name, width=width, height=height, bytes=len(content), type=kind, digest=digest)
