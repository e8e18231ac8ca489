"""Measures photos: uploads beside bare library calls, a picture beside nginx, votes, and pages meanwhile."""

import asyncio
import io
import os
import shutil
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import msgspec
from PIL import Image

from bench import photo_votes
from bench.connection import HOST, LoadConnection, connect, expected
from bench.figures import latencies
from bench.measurement import BenchFault, Figures, Measurement, Plan, Sample
from bench.server import end, server
from bench.wire import get
from bookshelf.galera.cluster import free_ports

#: Pixels of a photo, 12 megapixels; photos of each load, connections of uploads and of readers.
WIDTH, HEIGHT = 4000, 3000
UPLOADS, SENDERS, READERS = 12, 2, 16
#: Sizes of the stills that are read.
_STILLS = ("320", "2048")
#: Connections of uploads beside the readers of pages.
BESIDE = 8
_BOUNDARY = "bench-form"
_BUSY = 503
#: Seconds for nginx to listen, and between two looks.
_START_S, _PAUSE_S = 10.0, 0.02
_FACTS = {
    "uploads": f"{UPLOADS} JPEGs of 12 megapixels, on {SENDERS} connections; the service has one worker",
    "library": "the same steps by Pillow in one process: decode, paste, three WebP stills, a JPEG",
    "share": "uploads a second / loops of the library a second; 0.85 is wanted",
    **photo_votes.FACTS,
    "picture": f"GET of the stills of 320 and of 2048 pixels in width, on {READERS} connections; one client",
}
_LIBRARY = """
import io, sys, time
from PIL import Image, ImageOps
path, number = sys.argv[1], int(sys.argv[2])
began = time.perf_counter()
for _ in range(number):
    with Image.open(path) as source:
        source.draft(source.mode, (4096, 4096))
        source.load()
        upright = ImageOps.exif_transpose(source)
        pixels = Image.new(upright.mode, upright.size)
        pixels.paste(upright)
    still = pixels
    for width in (2048, 1024, 320):
        size = width, round(width * pixels.height / pixels.width)
        still = still.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        still.save(io.BytesIO(), "WEBP", quality=82, method=4)
    pixels.save(io.BytesIO(), "JPEG", quality=90, progressive=True)
print(number / (time.perf_counter() - began))
"""


def _photo() -> bytes:
    """Return a JPEG that has about the details of a photo."""
    small = Image.effect_noise((WIDTH // 8, HEIGHT // 8), 60).resize((WIDTH, HEIGHT))
    file = io.BytesIO()
    Image.merge("RGB", (small, small.rotate(180), small.transpose(Image.Transpose.FLIP_TOP_BOTTOM))).save(
        file, "JPEG", quality=92
    )
    return file.getvalue()


def _upload(content: bytes, number: int) -> bytes:
    """Return the bytes of a POST with a form."""
    parts = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="title"\r\n\r\nPhoto {number}\r\n'
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="p"\r\n\r\n'
    ).encode()
    body = parts + content + f"\r\n--{_BOUNDARY}--\r\n".encode()
    head = (
        f"POST /photos HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n"
        f"Content-Type: multipart/form-data; boundary={_BOUNDARY}\r\n\r\n"
    )
    return head.encode() + body


async def _uploads(port: int, content: bytes, number: int) -> tuple[float, str]:
    """Upload; return photos a second, and the id of the last one."""
    left = list(range(number))
    photo = ""

    async def send(connection: LoadConnection) -> None:
        nonlocal photo
        while left:
            photo = await _published(connection, _upload(content, left.pop()))

    async with AsyncExitStack() as stack:
        senders = [await stack.enter_async_context(connect(port)) for _ in range(SENDERS)]
        began = time.perf_counter()
        await asyncio.gather(*map(send, senders))
        return number / (time.perf_counter() - began), photo


async def _published(connection: LoadConnection, upload: bytes) -> str:
    """Upload until it is not refused for a busy machine; return the id of the photo. Raises `BenchFault`."""
    while True:
        answer = await connection.ask(upload, None)
        if answer.status != _BUSY:
            fields = msgspec.json.decode(expected(answer, 201).body)
            return str(fields["id"])


async def _upload_on(port: int, content: bytes, ended: asyncio.Event) -> float:
    """Upload on eight connections until the event is set; return photos a second."""
    number, began = 0, time.perf_counter()

    async def send() -> None:
        nonlocal number
        async with connect(port) as connection:
            while not ended.is_set():
                number += 1
                await _published(connection, _upload(content, number))

    await asyncio.gather(*(send() for _ in range(BESIDE)))
    return number / (time.perf_counter() - began)


async def _library(path: Path) -> float:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _LIBRARY, str(path), str(UPLOADS), stdin=DEVNULL, stdout=PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise BenchFault("the loop of the library has failed")
    return float(output)


async def _reads(port: int, target: str, seconds: float) -> dict[str, float]:
    """Read one address on several connections; return answers a second and their latencies."""
    times: list[float] = []
    began = time.perf_counter()

    async def read(connection: LoadConnection) -> None:
        while time.perf_counter() - began < seconds:
            sent = time.perf_counter()
            await connection.ask(get(target))
            times.append(time.perf_counter() - sent)

    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(connect(port)) for _ in range(READERS)]
        await asyncio.gather(*map(read, readers))
    return {"per_s": len(times) / (time.perf_counter() - began), **latencies(times)}


async def _listens(port: int, process: asyncio.subprocess.Process) -> None:
    """Wait until a program listens at a port. Raises `BenchFault` if it has ended."""
    async with asyncio.timeout(_START_S):
        while process.returncode is None:
            with suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, port)
                writer.close()
                return
            await asyncio.sleep(_PAUSE_S)
    raise BenchFault("nginx has ended; its own message is above")


async def _nginx(folder: Path, content: bytes, seconds: float) -> dict[str, float]:
    """Read the same bytes from nginx."""
    (folder / "www").mkdir(parents=True)
    (folder / "www" / "picture").write_bytes(content)
    [port] = free_ports(1)
    config = folder / "nginx.conf"
    user = "user root; " if os.geteuid() == 0 else ""  # else its worker may not read the folder
    config.write_text(
        f"{user}daemon off; worker_processes 1; error_log stderr emerg; pid {folder}/nginx.pid;\n"
        "events {} http { access_log off; sendfile on; "
        f"server {{ listen {HOST}:{port}; root {folder}/www; }} }}\n",
        encoding="utf-8",
    )
    process = await asyncio.create_subprocess_exec(
        "nginx", "-c", str(config), "-p", str(folder), stdin=DEVNULL, stdout=PIPE
    )
    try:
        await _listens(port, process)
        return await _reads(port, "/picture", seconds)
    finally:
        await end(process)


async def _run(plan: Plan, folder: Path) -> Sample:
    content = await asyncio.to_thread(_photo)
    path = folder / "photo.jpeg"
    path.write_bytes(content)
    figures: Figures = {}
    async with server(folder / "data", "photos", PHOTOS_WORKERS="1", PHOTOS_UPLOADS_MINUTE="100000") as up:
        port = up.services["uploads"]
        await _uploads(port, content, 2)  # the worker has started
        library_s = await _library(path)
        uploads_s, photo = await _uploads(port, content, UPLOADS)
        figures["uploads"] = {"per_s": uploads_s, "share": uploads_s / library_s}
        figures["library"] = {"per_s": library_s}
        stills: dict[str, bytes] = {}
        for size in _STILLS:
            target = f"/photos/{photo}/image?size={size}"
            async with connect(port) as connection:
                stills[size] = (await connection.ask(get(target, Bookshelf_After="end"))).body
            figures[f"picture {size}"] = await _reads(port, target, plan.seconds)
        figures |= await photo_votes.pages(up.gateway, plan.seconds, partial(_upload_on, port, content))
    figures |= await photo_votes.votes(plan, folder / "votes")
    for size, still in stills.items() if shutil.which("nginx") else ():
        figures[f"picture {size}, nginx"] = await _nginx(folder / f"nginx-{size}", still, plan.seconds)
        rates = [figures[f"picture {size}{by}"]["per_s"] for by in ("", ", nginx")]
        figures[f"picture {size}"]["share"] = rates[0] / rates[1]
    sizes = {size: len(still) for size, still in stills.items()}
    return Sample(figures, {"bytes": len(content), "still_bytes": sizes, **_FACTS})


PHOTOS = Measurement(
    "photos",
    "uploads beside the bare library, a picture beside nginx, votes, pages while photos come in",
    _run,
    large=True,
)
