"""Makes 60 files under 200 KB each that are hostile: bombs, broken ones, and pictures with secrets in them.

`SECRET` is planted wherever a container has room for it. What is accepted of them must not have it.
"""

import io
import random
import struct
import zlib
from collections.abc import Iterator

from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo
from support.pictures import NO_PICTURES, TOO_LARGE, UNREADABLE, encoded, gradient, png

SECRET = b"SECRET-52.5200N-13.4050E"
_TEXT = SECRET.decode()
_PICTURE = gradient(160, 120)
_SIZE_LIMIT = 200_000


def _exif(orientation: int | None = None) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = exif[0x013B] = exif[0x8298] = _TEXT
    if orientation is not None:
        exif[0x0112] = orientation
    exif.get_ifd(0x8825)[0x001D] = _TEXT
    return exif


def _looping_exif() -> bytes:
    """Return EXIF whose directory names itself as the next one."""
    entry = struct.pack(">HHI4s", 0x010E, 2, len(SECRET), struct.pack(">I", 30))
    return b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 1) + entry + struct.pack(">I", 8) + SECRET


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _in_png(*chunks: bytes) -> bytes:
    """Return a PNG with further chunks before its end."""
    content = encoded(_PICTURE, "PNG")
    return content[:-12] + b"".join(chunks) + content[-12:]


def _in_jpeg(marker: int, body: bytes) -> bytes:
    """Return a JPEG with a further segment after its head."""
    content = encoded(_PICTURE, "JPEG")
    return content[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + content[2:]


def _in_webp(name: bytes, body: bytes) -> bytes:
    """Return a WebP with a further chunk at its end."""
    content = encoded(_PICTURE, "WEBP", exif=_exif())
    rest = content[12:] + name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(rest) + 4) + b"WEBP" + rest


def _profile(size: int) -> bytes:
    """Return a colour profile with the secret, of about this size."""
    made = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    made += SECRET + bytes(max(0, size - len(made)))
    made[:4] = struct.pack(">I", len(made))
    return bytes(made)


def _many_frames(frames: int) -> bytes:
    """Return a GIF of tiny frames."""
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02D\x01\0"
    return head + frame * frames + b";"


def _moving(kind: str, **options: object) -> bytes:
    frames = [_PICTURE.rotate(turn) for turn in (0, 90, 180)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=40, **options)


def _hidden_in_palette() -> bytes:
    """Return a GIF whose unused colours are the secret."""
    picture = Image.new("P", (20, 20))
    picture.putpalette(b"\0\0\0\xff\xff\xff" + SECRET * 20)
    return encoded(picture, "GIF", optimize=False)


def _png_texts() -> bytes:
    texts = PngInfo()
    texts.add_text("Comment", _TEXT)
    texts.add_text("Author", _TEXT, zip=True)
    texts.add_itxt("XML:com.adobe.xmp", _TEXT)
    return encoded(_PICTURE, "PNG", pnginfo=texts, exif=_exif())


def _with_secrets() -> Iterator[tuple[str, bytes]]:
    jpeg = encoded(_PICTURE, "JPEG")
    for turn in range(1, 9):
        yield f"a jpeg with exif, orientation {turn}", encoded(_PICTURE, "JPEG", exif=_exif(turn))
    yield "a jpeg with orientation 99", encoded(_PICTURE, "JPEG", exif=_exif(99))
    yield "a jpeg with a comment", encoded(_PICTURE, "JPEG", comment=SECRET)
    yield "a jpeg with xmp", _in_jpeg(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET)
    yield "a jpeg with iptc", _in_jpeg(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0" + SECRET)
    yield "a jpeg with looping exif", _in_jpeg(0xE1, _looping_exif())
    yield "a jpeg with an adobe segment", _in_jpeg(0xEC, b"Ducky" + SECRET)
    yield "a jpeg with a script after its end", jpeg + b"<script>alert(1)</script>" + SECRET
    yield "a jpeg with an archive after its end", jpeg + b"PK\x03\x04" + SECRET
    yield "a jpeg with a second picture after its end", jpeg + encoded(_PICTURE, "JPEG", comment=SECRET)
    yield "a jpeg with a colour profile", encoded(_PICTURE, "JPEG", icc_profile=_profile(5000))
    yield "a jpeg with a large colour profile", encoded(_PICTURE, "JPEG", icc_profile=_profile(150_000))
    yield "a jpeg with a broken profile", encoded(_PICTURE, "JPEG", icc_profile=SECRET * 9)
    yield "a cmyk jpeg", encoded(_PICTURE.convert("CMYK"), "JPEG", comment=SECRET)
    yield "a grey jpeg", encoded(_PICTURE.convert("L"), "JPEG", comment=SECRET)
    yield "a progressive jpeg", encoded(_PICTURE, "JPEG", progressive=True, comment=SECRET)
    yield "a png with texts", _png_texts()
    yield "a png with its own chunk", _in_png(_chunk(b"seCr", SECRET))
    yield "a png with a time and a text", _in_png(_chunk(b"tEXt", b"Location\0" + SECRET))
    yield "a png with something after its end", encoded(_PICTURE, "PNG") + SECRET
    yield "a png with a script", encoded(_PICTURE, "PNG") + b"<script>" + SECRET
    yield "a png with alpha", encoded(gradient(90, 60, "RGBA"), "PNG", exif=_exif())
    yield "a png of 16 bits", encoded(Image.new("I;16", (60, 40), 20_000), "PNG", exif=_exif())
    yield "a png of 1 bit", encoded(_PICTURE.convert("1"), "PNG", exif=_exif())
    yield "an animated png", _moving("PNG", exif=_exif())
    yield "a webp with exif and xmp", encoded(_PICTURE, "WEBP", exif=_exif(6), xmp=SECRET)
    yield "a webp with its own chunk", _in_webp(b"SECR", SECRET)
    yield "an animated webp", _moving("WEBP", exif=_exif(), xmp=SECRET)
    yield "a gif with a comment", encoded(_PICTURE.convert("P"), "GIF", comment=SECRET)
    yield "a gif with unused colours", _hidden_in_palette()
    yield "an animated gif", _moving("GIF", comment=SECRET)
    yield "a gif with something after its end", _moving("GIF") + SECRET
    yield "an avif with exif", encoded(_PICTURE, "AVIF", exif=_exif(), xmp=SECRET)


def _bombs() -> Iterator[tuple[str, bytes]]:
    yield "a gif of 10,000 frames", _many_frames(10_000)
    yield "a gif of 301 frames", _many_frames(301)
    yield "a png of 900 megapixels with data", png(30_000, 30_000, bytes(20_000_000))
    yield "a png with a wide row", png(20_001, 1, bytes(100))
    yield "a jpeg with a size of nothing", _resized_jpeg(0, 0)
    yield "a jpeg that claims 65535 x 65535", _resized_jpeg(65_535, 65_535)


def _resized_jpeg(width: int, height: int) -> bytes:
    """Return a JPEG whose header claims another size."""
    content = encoded(_PICTURE, "JPEG")
    place = content.index(b"\xff\xc0") + 5
    return content[:place] + struct.pack(">HH", height, width) + content[place + 4 :]


def _noise() -> Iterator[tuple[str, bytes]]:
    """Yield pictures in which some bytes differ: always the same ones."""
    chance = random.Random(7)  # noqa: S311 (no secret)
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF"):
        content = bytearray(encoded(_PICTURE, kind))
        for _ in range(12):
            content[chance.randrange(12, len(content))] = chance.randrange(256)
        yield f"a damaged {kind.lower()}", bytes(content)


def hostile_photos() -> dict[str, bytes]:
    """Return the files by what they are."""
    made = {**NO_PICTURES, **UNREADABLE, **TOO_LARGE, **dict(_with_secrets()), **dict(_bombs())}
    made |= dict(_noise())
    return {name: content for name, content in made.items() if len(content) < _SIZE_LIMIT}


def first_frame(content: bytes) -> Image.Image:
    """Return the pixels of a file."""
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
        return picture.copy()
