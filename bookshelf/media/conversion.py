"""Converts one picture: checks its header, decodes its first frame, and encodes WebP renditions of it.

It runs in a worker process only (`worker.py`): its input is not trusted.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from bookshelf.media.port import ConvertedPicture, PictureLimits, PictureRefused

#: The formats that are accepted. The decoder decides which one a file has, not its name or media type.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
_FORMAT_NAMES = "JPEG, PNG, WebP, GIF or AVIF"
_QUALITY = 82
#: Up to how many times the wanted size a picture is reduced in one cheap step, before it is resized.
_GAP = 3.0
#: A rendition is at most so many times as high as wide.
_TALL = 4
_PALETTED = frozenset({"1", "P", "PA", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F"})
#: The tag of EXIF that has the orientation.
ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})

# the limits of a job count, before anything is decoded
Image.MAX_IMAGE_PIXELS = None


def convert_picture(path: Path, limits: PictureLimits) -> ConvertedPicture:
    """Return the renditions of a file. Raises `PictureRefused`."""
    with opened_picture(path) as source:
        check_size(source, limits)
        largest = _decode(source, max(limits.widths))
    renditions = {width: encode_still(_fit(largest, width)) for width in limits.widths}
    return ConvertedPicture(largest.width, largest.height, _mean_colour(largest), renditions)


@contextmanager
def opened_picture(path: Path) -> Iterator[Image.Image]:
    """Open a file of an accepted format. Raises `PictureRefused` for all that its content leads to."""
    try:
        with Image.open(path, formats=FORMATS) as source:
            yield source
    except PictureRefused:
        raise
    except UnidentifiedImageError:
        raise PictureRefused("format", f"is no picture; {_FORMAT_NAMES} are accepted") from None
    except Exception as fault:
        raise PictureRefused("unreadable", "is a picture that is damaged or incomplete") from fault


def check_size(source: Image.Image, limits: PictureLimits) -> None:
    """Return if a picture has as many pixels and frames as are accepted. Raises `PictureRefused`."""
    width, height = source.size
    if width * height > limits.pixels or max(width, height) > limits.side or not width * height:
        most = f"{limits.pixels // 1_000_000} megapixels, and {limits.side} pixels a side"
        raise PictureRefused("pixels", f"has {width} x {height} pixels; {most} are accepted")
    frames = 1 if limits.frames is None else getattr(source, "n_frames", 1)
    if limits.frames is not None and frames > limits.frames:
        raise PictureRefused("frames", f"has {frames} frames; {limits.frames} are accepted")


def _decode(source: Image.Image, width: int) -> Image.Image:
    """Return the first frame upright, in sRGB, at most so wide, without anything else that the file holds.

    Only one copy of all pixels is made: the next steps have those that are left.
    """
    orientation = source.getexif().get(ORIENTATION)
    turned = orientation in _TURNED
    ratio = source.width / source.height if turned else source.height / source.width
    wanted = (2 * width, max(1, round(2 * width * min(ratio, _TALL))))
    profile = source.info.get("icc_profile")
    source.draft("RGB", wanted[::-1] if turned else wanted)  # a JPEG is decoded at about the size needed
    source.load()
    fitted = _fit(true_colour(source), width, turned=turned)
    if orientation is not None:
        fitted.getexif()[ORIENTATION] = orientation
    srgb = in_srgb(ImageOps.exif_transpose(fitted), profile)
    pixels = Image.new(srgb.mode, srgb.size)
    pixels.paste(srgb)
    return pixels


def true_colour(source: Image.Image) -> Image.Image:
    """Return the picture in a mode that can be resized: RGB, RGBA, or CMYK and the like as they are."""
    if source.has_transparency_data:
        return source if source.mode == "RGBA" else source.convert("RGBA")
    if source.mode.startswith("I;16"):
        return source.point(lambda value: value / 256).convert("L").convert("RGB")
    return source.convert("RGB") if source.mode in _PALETTED else source


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the picture in sRGB. A profile that cannot be used counts as none."""
    mode = "RGBA" if picture.mode == "RGBA" else "RGB"
    if profile:
        try:
            made = ImageCms.profileToProfile(
                picture, io.BytesIO(profile), ImageCms.createProfile("sRGB"), outputMode=mode
            )
        except (ImageCms.PyCMSError, ValueError, OSError):
            made = None
        if made is not None:
            return made
    return picture if picture.mode == mode else picture.convert(mode)


def _fit(picture: Image.Image, width: int, *, turned: bool = False) -> Image.Image:
    """Return the picture in at most this width, never enlarged. `turned`: its height will be its width."""
    wide, high = picture.size[::-1] if turned else picture.size
    scale = min(1.0, width / wide, _TALL * width / high)
    fitted = (max(1, round(wide * scale)), max(1, round(high * scale)))
    size = fitted[::-1] if turned else fitted
    if size == picture.size:
        return picture
    return picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=_GAP)


def encode_still(picture: Image.Image) -> bytes:
    """Return a WebP file of a picture."""
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=_QUALITY, method=4)
    return file.getvalue()


def _mean_colour(picture: Image.Image) -> str:
    """Return the mean colour, on white where the picture is transparent."""
    ground = Image.new("RGB", picture.size, "white")
    ground.paste(picture, mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
    colour = ground.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    assert isinstance(colour, tuple)  # noqa: S101 (of an RGB picture)
    return "#" + "".join(f"{int(part):02x}" for part in colour[:3])
