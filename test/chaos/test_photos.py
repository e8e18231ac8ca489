"""kill -9 of uploads after each of their steps, of a worker, and a full disk: no photo lacks an image."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image
from support.photos import FORM, form
from support.pictures import encoded, gradient
from support.process import bookshelf
from support.program import Program
from support.until import until

pytestmark = pytest.mark.chaos
#: A picture that takes a worker a second.
LARGE = encoded(Image.effect_noise((3000, 2000), 60).convert("RGB"), "JPEG", quality=80)
SMALL = encoded(gradient(300, 200), "PNG")


def any_of(data: Path, pattern: str) -> Callable[[], bool]:
    return lambda: next((data / "blobs").glob(pattern), None) is not None


def many_of(data: Path, pattern: str, number: int) -> Callable[[], bool]:
    return lambda: len(list((data / "blobs").glob(pattern))) >= number


#: When to kill: what is there after each step of an upload. The first begins at once.
MOMENTS: dict[str, Callable[[Path], Callable[[], bool]]] = {
    "before it is received": lambda _data: lambda: True,
    "a part is received": lambda data: any_of(data, "tmp/upload-*"),
    "the worker has it": lambda data: any_of(data, "tmp/photo-*"),
    "the master is made": lambda data: any_of(data, "tmp/photo-*/master"),
    "all images are made": lambda data: many_of(data, "tmp/photo-*/still-*", 3),
    "one image is stored": lambda data: many_of(data, "photos/??/??/*", 1),
    "two images are stored": lambda data: many_of(data, "photos/??/??/*", 2),
    "all images are stored": lambda data: many_of(data, "photos/??/??/*", 4),
    "the photo is published": lambda data: lambda: published(data) == 1,
}


def published(data: Path) -> int:
    listed = bookshelf(
        *("events", "tail", "--data", data, "--topic", "photos", "--from", "start", "--no-follow", "--json")
    )
    return listed.well.count('"photos.photo-added.v1"')


def verified(data: Path) -> None:
    report = json.loads(bookshelf("photos", "verify", "--data", data, "--json").well)
    assert report["violations"] == 0, report


def upload(up: Program, content: bytes, key: str) -> int:
    """Return the status of the answer; 0 without one."""
    try:
        return up.client.post(
            "/photos", form(content, title="x"), Content_Type=FORM, Idempotency_Key=key
        ).status
    except OSError:
        return 0


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_upload_leaves_images_at_most_and_its_retry_publishes_one_photo(
    tmp_path: Path, moment: str
) -> None:
    data = tmp_path / "data"
    with Program(data, "--only", "photos").ready() as up, ThreadPoolExecutor(1) as sender:
        sent = sender.submit(upload, up, LARGE, "one")
        until(lambda: MOMENTS[moment](data)() or sent.done(), f"it has come so far that {moment}")
        up.kill()
        sent.result()
    verified(data)
    with Program(data, "--only", "photos").ready() as up:
        assert upload(up, LARGE, "one") == 201
        assert upload(up, LARGE, "one") == 201
        assert up.client.get("/photos/none/image").status == 404
    assert published(data) == 1
    verified(data)


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [
        int(child)
        for child in children
        if b"bookshelf.media.worker" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]


def test_a_killed_worker_fails_one_upload_and_the_next_one_succeeds(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with Program(data, "--only", "photos").ready() as up, ThreadPoolExecutor(1) as sender:
        pid = up.pid
        sent = sender.submit(upload, up, LARGE, "one")
        until(lambda: workers_of(pid) or sent.done(), "a worker runs")
        for worker in workers_of(pid):
            os.kill(worker, signal.SIGKILL)
        assert sent.result() in {422, 201}
        assert upload(up, SMALL, "two") == 201
    verified(data)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_refuses_uploads_and_what_is_published_stays(tmp_path: Path) -> None:
    data, disk = tmp_path / "data", tmp_path / "blobs"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk can be mounted here")
    env = {"BOOKSHELF_BLOBS": str(disk)}
    try:
        with Program(data, "--only", "photos", env=env).ready() as up:
            assert upload(up, SMALL, "small") == 201
            assert upload(up, LARGE, "large") == 503
            (disk / "filler").write_bytes(b"")
            statuses = {upload(up, SMALL, f"more-{number}") for number in range(5)}
            assert statuses == {201}
        report = bookshelf("photos", "verify", "--data", data, env=env)
        assert report.code == 0, report.out
    finally:
        subprocess.run(["umount", str(disk)], check=False)
