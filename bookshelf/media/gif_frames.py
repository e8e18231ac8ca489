"""Counts the frames of a GIF without decoding them, up to a limit.

Source: GIF89a specification, 17 to 27.
"""

from pathlib import Path
from typing import BinaryIO

_TABLE, _EXTENSION, _IMAGE = 0x80, 0x21, 0x2C


def count_frames(path: Path, most: int) -> int:
    """Return the number of frames, at most `most`; what is no block ends the count."""
    with path.open("rb") as file:
        head = file.read(13)
        _skip_table(file, head[10] if len(head) > 10 else 0)  # noqa: PLR2004 (the place of its flags)
        frames = 0
        while frames < most:
            kind = file.read(1)
            if kind == bytes([_EXTENSION]):
                file.read(1)
            elif kind == bytes([_IMAGE]):
                frames += 1
                about = file.read(9)
                _skip_table(file, about[-1] if about else 0)
                file.read(1)
            else:
                break
            _skip_blocks(file)
        return frames


def _skip_table(file: BinaryIO, flags: int) -> None:
    if flags & _TABLE:
        file.seek(3 << (1 + (flags & 7)), 1)


def _skip_blocks(file: BinaryIO) -> None:
    while size := file.read(1):
        if not size[0]:
            return
        file.seek(size[0], 1)
