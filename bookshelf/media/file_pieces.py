"""Reads a file of this machine piece by piece, as a blob is put."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from bookshelf.media.port import PIECE


async def file_pieces(path: Path) -> AsyncIterator[bytes]:
    """Yield the bytes of a file. Raises `OSError`."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
