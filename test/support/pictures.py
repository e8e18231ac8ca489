"""Pictures for tests: good ones of every format, and hostile ones."""

import io
import struct
import zlib
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo


def gradient(width: int, height: int, mode: str = "RGB") -> Image.Image:
    """Return a picture that is red at the left and dark at the right."""
    row = Image.new("RGB", (width, 1))
    row.putdata([(255 - 255 * x // max(1, width - 1), 40, 40) for x in range(width)])
    return row.resize((width, height)).convert(mode)


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:  # noqa: ANN401 (the encoder's own)
    """Return a picture as a file."""
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def animation() -> bytes:
    """Return a GIF whose first frame is red and whose others are blue."""
    frames = [Image.new("RGB", (60, 90), colour) for colour in ("red", "blue", "blue")]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def png(width: int, height: int, data: bytes, kind: int = 2) -> bytes:
    """Return a PNG with a header and image data that need not agree."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(data, 9)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


def with_long_texts() -> bytes:
    """Return a small PNG with compressed texts that would fill memory."""
    texts = PngInfo()
    for number in range(20):
        texts.add_text(f"t{number}", "x" * (4 << 20), zip=True)
    return encoded(gradient(20, 30), "PNG", pnginfo=texts)


GOOD = gradient(300, 450)
JPEG = encoded(GOOD, "JPEG", quality=90)
#: Files that are no pictures of an accepted format.
NO_PICTURES = {
    "empty": b"",
    "text": b"this is no picture",
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n",
    "tiff": encoded(GOOD, "TIFF"),
    "bmp": encoded(GOOD, "BMP"),
    "ico": encoded(gradient(32, 32), "ICO"),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "the first bytes of a jpeg": JPEG[:2],
}
#: Pictures that are damaged, incomplete or made to use up memory.
UNREADABLE = {
    "a jpeg that ends early": JPEG[: len(JPEG) // 2],
    "a png that ends early": encoded(GOOD, "PNG")[:600],
    "a webp that ends early": encoded(GOOD, "WEBP")[:200],
    "a gif that ends early": encoded(GOOD.convert("P"), "GIF")[:900],
    "a png without its pixels": png(600, 900, b""),
    "a png with a wrong checksum": encoded(GOOD, "PNG").replace(b"IDAT", b"IDAT\x00", 1),
    "a png with texts that fill memory": with_long_texts(),
}
#: Headers of more pixels than are accepted. Their files are small.
TOO_LARGE = {
    "a png of 900 megapixels": png(30_000, 30_000, bytes(1000)),
    "a png of 41 megapixels": png(6_000, 6_900, bytes(1000)),
    "a png of one very long line": png(39_000_000, 1, bytes(1000)),
    "a gif of 4,000 megapixels": b"GIF89a"
    + struct.pack("<HHBBB6xcHHHHB", 65_535, 65_535, 0x80, 0, 0, b",", 0, 0, 65_535, 65_535, 0)
    + b"\x02\x02\x4c\x01\x00;",
}
