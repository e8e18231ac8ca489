"""The images of a photo: their sizes, and that nothing but pixels comes along."""

from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from support.hostile_photos import SECRET, hostile_photos
from support.pictures import encoded, gradient

from bookshelf.media.gif_frames import count_frames
from bookshelf.media.photo_conversion import make_photo
from bookshelf.media.plain_images import foreign_parts
from bookshelf.media.port import MadeImage, MadePhoto, PhotoLimits, PictureRefused

#: Pillow warns of broken metadata, which is not kept.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
LIMITS = PhotoLimits()


def made(content: bytes, folder: Path, limits: PhotoLimits = LIMITS) -> MadePhoto:
    (folder / "source").write_bytes(content)
    return make_photo(folder / "source", folder, limits)


def shape(image: MadeImage) -> tuple[int, int, str]:
    return image.width, image.height, image.type.removeprefix("image/")


def assert_clean(photo: MadePhoto, folder: Path) -> None:
    for image in (*photo.stills, photo.master):
        content = (folder / image.file).read_bytes()
        assert foreign_parts(content, image.type) == []
        assert SECRET not in content
        with Image.open(BytesIO(content)) as picture:
            assert picture.size == (image.width, image.height)
    assert len(photo.placeholder) <= LIMITS.placeholder
    assert foreign_parts(photo.placeholder, "image/webp") == []


def test_every_hostile_file_is_refused_or_comes_out_clean(tmp_path: Path) -> None:
    hostile = hostile_photos()
    assert len(hostile) >= 60
    accepted = 0
    for content in hostile.values():
        try:
            photo = made(content, tmp_path)
        except PictureRefused:
            continue
        accepted += 1
        assert_clean(photo, tmp_path)
    assert accepted >= 30


def test_stills_are_none_enlarged_and_none_twice_and_the_master_has_all_pixels(tmp_path: Path) -> None:
    large = made(encoded(gradient(2500, 1000), "JPEG"), tmp_path)
    assert [shape(still) for still in large.stills] == [
        (320, 128, "webp"),
        (1024, 410, "webp"),
        (2048, 819, "webp"),
    ]
    assert shape(large.master) == (2500, 1000, "jpeg")
    small = made(encoded(gradient(500, 200), "PNG"), tmp_path)
    assert [still.width for still in small.stills] == [320, 500]
    assert shape(small.master) == (500, 200, "png")
    tiny = made(encoded(gradient(1, 1), "GIF"), tmp_path)
    assert [shape(still) for still in tiny.stills] == [(1, 1, "webp")]


def test_a_master_has_at_most_4096_pixels_a_side(tmp_path: Path) -> None:
    photo = made(encoded(gradient(5000, 100), "PNG"), tmp_path)
    assert shape(photo.master) == (4096, 82, "png")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_is_applied_once(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = made(encoded(gradient(200, 100), kind, exif=exif), tmp_path)
    assert (photo.master.width, photo.master.height) == (100, 200)
    with Image.open(tmp_path / photo.master.file) as picture:
        upright = picture.convert("RGB")
    top, bottom = upright.getpixel((50, 5)), upright.getpixel((50, 195))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[0] > bottom[0] + 100  # the left side was red


def test_grey_stays_grey_and_a_transparent_png_stays_one(tmp_path: Path) -> None:
    grey = made(encoded(gradient(1200, 1000, "L"), "JPEG"), tmp_path)
    with Image.open(tmp_path / grey.master.file) as picture:
        assert (picture.format, picture.mode) == ("JPEG", "L")
    clear = made(encoded(Image.new("RGBA", (1200, 1000), (9, 9, 9, 99)), "PNG"), tmp_path)
    with Image.open(tmp_path / clear.master.file) as picture:
        assert (picture.format, picture.mode) == ("PNG", "RGBA")
    whole = made(encoded(gradient(1200, 1000), "PNG"), tmp_path)
    assert shape(whole.master) == (1200, 1000, "jpeg")


def test_an_animation_moves_in_its_times_and_its_stills_do_not(tmp_path: Path) -> None:
    frames = [gradient(1500, 300).rotate(turn) for turn in (0, 90, 180)]
    content = encoded(
        frames[0], "GIF", save_all=True, append_images=frames[1:], duration=[40, 80, 120], loop=3
    )
    photo = made(content, tmp_path)
    assert photo.animated
    assert shape(photo.master) == (1024, 205, "webp")
    assert [still.width for still in photo.stills] == [320, 1024, 1500]
    with Image.open(tmp_path / photo.master.file) as picture:
        times = []
        for frame in range(getattr(picture, "n_frames", 1)):
            picture.seek(frame)
            picture.load()
            times.append(picture.info["duration"])
        assert (times, picture.info["loop"]) == ([40, 80, 120], 3)
    with Image.open(tmp_path / photo.stills[-1].file) as still:
        assert getattr(still, "n_frames", 1) == 1


def test_frames_are_limited_one_by_one_and_by_all_their_pixels(tmp_path: Path) -> None:
    frames = [gradient(60, 40).rotate(turn) for turn in range(0, 120, 10)]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(PictureRefused, match="over 11 frames"):
        made(content, tmp_path, PhotoLimits(frames=11))
    with pytest.raises(PictureRefused, match="28800 pixels in all frames"):
        made(content, tmp_path, PhotoLimits(frames_pixels=28_799))
    assert made(content, tmp_path, PhotoLimits(frames=12, frames_pixels=28_800)).animated
    assert count_frames(tmp_path / "source", 5) == 5
    assert count_frames(tmp_path / "source", 50) == 12


def test_a_placeholder_of_noise_is_small_too(tmp_path: Path) -> None:
    noise = Image.effect_noise((160, 1600), 200).convert("RGB")
    photo = made(encoded(noise, "PNG"), tmp_path)
    assert len(photo.placeholder) <= LIMITS.placeholder
    with Image.open(BytesIO(photo.placeholder)) as picture:
        assert picture.size == (16, 64)


@pytest.mark.parametrize(
    ("kind", "given", "plays"),
    [
        ("GIF", {}, 1),
        ("GIF", {"loop": 0}, 0),
        ("GIF", {"loop": 2}, 2),
        ("WEBP", {}, 0),
        ("WEBP", {"loop": 1}, 1),
    ],
)
def test_an_animation_plays_as_often_as_it_did(
    tmp_path: Path, kind: str, given: dict[str, int], plays: int
) -> None:
    frames = [gradient(12, 9), gradient(9, 12).resize((12, 9))]
    photo = made(encoded(frames[0], kind, save_all=True, append_images=frames[1:], **given), tmp_path)
    with Image.open(tmp_path / photo.master.file) as picture:
        assert picture.info["loop"] == plays


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.sampled_from(["JPEG", "PNG", "WEBP", "GIF"]), st.integers(0, 900))
def test_any_bytes_are_refused_or_come_out_clean(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, kind: str, place: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    content = encoded(gradient(30, 20), kind)
    for attempt in (noise, content[:place] + noise + content[place:], content[:place] + noise):
        try:
            photo = made(attempt, folder)
        except PictureRefused:
            continue
        assert_clean(photo, folder)


@pytest.mark.parametrize(
    ("kind", "media_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")]
)
def test_what_is_planted_in_an_image_is_found(kind: str, media_type: str) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Berlin"
    plain = encoded(gradient(30, 20), kind)
    assert foreign_parts(plain, media_type) == []
    assert foreign_parts(encoded(gradient(30, 20), kind, exif=exif), media_type) != []
    assert foreign_parts(plain + b"x", media_type) != []
    assert foreign_parts(plain[:-3], media_type) != []
    assert foreign_parts(b"", media_type) != []
    assert foreign_parts(plain, "text/html") != []


def test_of_a_camera_file_with_a_preview_after_the_picture_the_picture_is_taken(tmp_path: Path) -> None:
    """Many cameras write such files (MPO, CIPA DC-007); they are JPEG files that hold several pictures."""
    file = BytesIO()
    gradient(800, 600).save(file, "MPO", save_all=True, append_images=[gradient(160, 120)])
    photo = made(file.getvalue(), tmp_path)
    assert not photo.animated
    assert shape(photo.master) == (800, 600, "jpeg")
    assert_clean(photo, tmp_path)


def test_stills_of_a_very_narrow_picture_are_files_of_their_own(tmp_path: Path) -> None:
    photo = made(encoded(gradient(2, 9000), "PNG"), tmp_path)
    assert [shape(still)[:2] for still in photo.stills] == [(1, 1280), (1, 4096)]
    assert_clean(photo, tmp_path)
