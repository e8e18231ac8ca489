"""Looks for anything in an image file but pixels, palette and frame times, like metadata or hidden texts.

Sources: RFC 9649 (WebP), ITU-T T.81 annex B and T.871 (JPEG, JFIF), W3C PNG specification (third edition).
"""

from collections.abc import Iterator

#: The chunks of a WebP file, and of one of its frames, that are pixels, their number, or frame times.
_WEBP_CHUNKS = frozenset({b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF"})
_FRAME_HEAD = 16
#: The flags of VP8X that announce metadata and a colour profile.
_WEBP_EXTRAS = 0x2C
_PNG_BEGIN = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
#: The markers of JPEG: tables, frame headers, restart interval; SOS and EOI; JFIF's own segment.
_JPEG_TABLES = frozenset({0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD})
_SOI, _EOI, _SOS, _APP0 = 0xD8, 0xD9, 0xDA, 0xE0
_JFIF = 16


def foreign_parts(content: bytes, kind: str) -> list[str]:
    """Return what an image file of a media type has that is no pixel, palette or frame time."""
    match kind:
        case "image/webp":
            return list(_webp(content))
        case "image/jpeg":
            return list(_jpeg(content))
        case "image/png":
            return list(_png(content))
    return [f"the media type {kind}"]


def _webp(content: bytes) -> Iterator[str]:
    if content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        yield "no head of a WebP file"
        return
    end = int.from_bytes(content[4:8], "little") + 8
    if end != len(content):
        yield "bytes after its end" if end < len(content) else "no end"
        return
    yield from _webp_chunks(content, 12, end)


def _webp_chunks(content: bytes, place: int, end: int) -> Iterator[str]:
    while place < end:
        name = content[place : place + 4]
        size = int.from_bytes(content[place + 4 : place + 8], "little")
        first, after = place + 8, place + 8 + size
        if name not in _WEBP_CHUNKS or after > end:
            yield f"the chunk {name!r}"
            return
        if name == b"VP8X" and content[first] & _WEBP_EXTRAS:
            yield "the flags of metadata"
        if name == b"ANMF":
            yield from _webp_chunks(content, first + _FRAME_HEAD, after)
        place = after + size % 2


def _png(content: bytes) -> Iterator[str]:
    if content[:8] != _PNG_BEGIN:
        yield "no head of a PNG file"
        return
    place, name = 8, b""
    while place < len(content) and name != b"IEND":
        size, name = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        place += 12 + size
        if name not in _PNG_CHUNKS:
            yield f"the chunk {name!r}"
            return
    if place != len(content) or name != b"IEND":
        yield "bytes after its end" if place < len(content) else "no end"


def _jpeg(content: bytes) -> Iterator[str]:
    if content[:2] != bytes([0xFF, _SOI]):
        yield "no head of a JPEG file"
        return
    place = 2
    while place + 4 <= len(content) and content[place] == 0xFF:  # noqa: PLR2004 (begins a marker)
        marker, size = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        is_jfif = marker == _APP0 and size == _JFIF and content[place + 4 : place + 9] == b"JFIF\0"
        if marker not in _JPEG_TABLES and marker != _SOS and not is_jfif:
            yield f"the segment {marker:#x}"
            return
        place += 2 + size
        if marker == _SOS:
            place = _after_scan(content, place)
            if content[place : place + 2] == bytes([0xFF, _EOI]):
                if place + 2 != len(content):
                    yield "bytes after its end"
                return
    yield "no end"


def _after_scan(content: bytes, place: int) -> int:
    """Return the place of the marker that ends a scan: stuffed zeros and restarts are parts of it."""
    while (place := content.find(b"\xff", place)) >= 0:
        following = content[place + 1] if place + 1 < len(content) else _EOI
        if following and not 0xD0 <= following <= 0xD7:  # noqa: PLR2004 (the restarts)
            return place
        place += 2
    return len(content)
