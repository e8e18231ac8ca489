"""Converting a picture: what comes out, what is left out, and what is refused."""

import io
from pathlib import Path

import pytest
from PIL import Image, ImageCms
from support.pictures import GOOD, NO_PICTURES, TOO_LARGE, UNREADABLE, animation, encoded, gradient

from bookshelf.media.conversion import convert_picture
from bookshelf.media.port import ConvertedPicture, PictureLimits, PictureRefused

LIMITS = PictureLimits()


def converted(tmp_path: Path, content: bytes, limits: PictureLimits = LIMITS) -> ConvertedPicture:
    (tmp_path / "upload").write_bytes(content)
    return convert_picture(tmp_path / "upload", limits)


def opened(picture: ConvertedPicture, width: int = 480) -> Image.Image:
    return Image.open(io.BytesIO(picture.renditions[width]), formats=["WEBP"])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "AVIF"])
@pytest.mark.parametrize("size", [(1000, 1500), (300, 450), (100, 150)])
def test_every_format_becomes_webp_in_two_widths_and_is_never_enlarged(
    tmp_path: Path, kind: str, size: tuple[int, int]
) -> None:
    made = converted(tmp_path, encoded(gradient(*size), kind))
    assert (made.width, made.height) == (min(480, size[0]), round(min(480, size[0]) * 1.5))
    assert opened(made).size == (made.width, made.height)
    assert opened(made, 240).size == (min(240, size[0]), round(min(240, size[0]) * 1.5))


def channels(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour.removeprefix("#")))


def test_the_colour_is_the_mean_of_the_picture(tmp_path: Path) -> None:
    red, green, blue = channels(converted(tmp_path, encoded(GOOD, "PNG")).colour)
    assert 120 < red < 135
    assert 35 < green < 45
    assert 35 < blue < 45


MODES = ["1", "L", "LA", "P", "RGB", "RGBA"]


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_of_a_png_is_converted(tmp_path: Path, mode: str) -> None:
    made = converted(tmp_path, encoded(gradient(600, 900, "L").convert(mode), "PNG"))
    assert opened(made).size == (480, 720)


def test_sixteen_bits_of_grey_keep_their_brightness(tmp_path: Path) -> None:
    made = converted(tmp_path, encoded(Image.new("I;16", (60, 90), 0x8000), "PNG"))
    assert all(abs(part - 128) < 4 for part in channels(made.colour))


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    made = converted(tmp_path, encoded(Image.new("CMYK", (60, 90), (0, 255, 255, 0)), "JPEG"))
    red, green, blue = channels(made.colour)
    assert red > 220
    assert max(green, blue) < 40


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(30, 60), (2000, 4000)])
def test_a_picture_is_turned_upright_once(tmp_path: Path, orientation: int, size: tuple[int, int]) -> None:
    """The picture is red above and blue below, stored turned, with the orientation that undoes this."""
    upright = Image.new("RGB", size, "blue")
    upright.paste("red", (0, 0, size[0], size[1] // 2))
    undo = [None, 0, 3, 1, 5, 2, 6, 4][orientation - 1]
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    made = converted(tmp_path, encoded(stored, "JPEG", exif=exif, quality=95))
    assert made.height == 2 * made.width
    shown = opened(made).convert("RGB")
    above, below = (shown.getpixel((made.width // 2, made.height * part // 4)) for part in (1, 3))
    assert isinstance(above, tuple)
    assert isinstance(below, tuple)
    assert above[0] - above[2] > 150
    assert below[2] - below[0] > 150


def test_only_the_first_frame_of_an_animation_is_used(tmp_path: Path) -> None:
    made = converted(tmp_path, animation())
    red, _, blue = channels(made.colour)
    assert red - blue > 230
    assert getattr(opened(made), "n_frames", 1) == 1


def test_nothing_but_pixels_is_kept(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret description"
    exif.get_ifd(0x8825)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    secret = encoded(
        GOOD, "JPEG", exif=exif, comment=b"a secret comment", icc_profile=profile, xmp=b"<secret/>"
    )
    made = converted(tmp_path, secret)
    for width in LIMITS.widths:
        shown = opened(made, width)
        assert not shown.getexif()
        assert not {"exif", "comment", "icc_profile", "xmp"} & shown.info.keys()
        assert b"secret" not in made.renditions[width]


def test_a_transparent_picture_stays_transparent_and_counts_on_white(tmp_path: Path) -> None:
    made = converted(tmp_path, encoded(Image.new("RGBA", (60, 90), (255, 0, 0, 0)), "PNG"))
    assert made.colour == "#ffffff"
    assert opened(made).mode == "RGBA"


@pytest.mark.parametrize("profile", [b"no profile", b"\x00" * 200])
def test_a_profile_that_cannot_be_used_counts_as_none(tmp_path: Path, profile: bytes) -> None:
    assert converted(tmp_path, encoded(GOOD, "JPEG", icc_profile=profile)).width == 300


@pytest.mark.parametrize(
    ("size", "shown"), [((2000, 1), (480, 1)), ((1, 2000), (1, 1920)), ((500, 10_000), (96, 1920))]
)
def test_very_long_pictures_have_a_bounded_size(
    tmp_path: Path, size: tuple[int, int], shown: tuple[int, int]
) -> None:
    made = converted(tmp_path, encoded(gradient(*size), "PNG"))
    assert (made.width, made.height) == shown


@pytest.mark.parametrize("content", NO_PICTURES.values(), ids=NO_PICTURES)
def test_a_file_of_another_format_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PictureRefused) as refusal:
        converted(tmp_path, content)
    assert refusal.value.kind in {"format", "unreadable"}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_damaged_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PictureRefused) as refusal:
        converted(tmp_path, content)
    assert refusal.value.kind in {"unreadable", "format"}


@pytest.mark.parametrize("content", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(PictureRefused, match=r"has [0-9]+ x [0-9]+ pixels; 40 megapixels") as refusal:
        converted(tmp_path, content)
    assert refusal.value.kind == "pixels"


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_an_animation_of_more_frames_than_are_accepted_is_refused(tmp_path: Path, kind: str) -> None:
    frames = [gradient(6, 9).rotate(90 * (number % 4)) for number in range(12)]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
    assert converted(tmp_path, content, PictureLimits(frames=12)).width
    with pytest.raises(PictureRefused, match="has 12 frames; 11 are accepted") as refusal:
        converted(tmp_path, content, PictureLimits(frames=11))
    assert refusal.value.kind == "frames"
