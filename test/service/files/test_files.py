"""Uploading, serving and deleting pictures."""

import asyncio
from pathlib import Path

import pytest
from PIL import Image
from support.files import Files
from support.gateway_sockets import status as status_of
from support.pictures import GOOD, NO_PICTURES, TOO_LARGE, UNREADABLE, encoded, gradient
from support.raw_http import json_of

from bookshelf.http.limits import ConnectionLimits
from bookshelf.runtime.api.identity import SignedCallers, signed_in

PNG = encoded(GOOD, "PNG")
FORM = "multipart/form-data; boundary=x"
#: A picture that is an archive and a page too, by what stands behind its end.
POLYGLOT = PNG + b"PK\x03\x04<script>alert(1)</script>"
STORED, DELETED = "files.file-stored.v1", "files.file-deleted.v1"


def form(content: bytes, name: str = "dune.png", field: str = "file") -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--x--\r\n"


async def test_a_picture_is_stored_once_and_served_in_three_sizes(tmp_path: Path) -> None:
    wide = encoded(gradient(800, 400), "PNG")
    async with Files(tmp_path) as files:
        stored = await files.upload(wide)
        assert stored.status == 201, stored.body
        shown = stored.json
        assert {**shown, "id": "", "bytes": 0} == {
            "id": "",
            "type": "image/webp",
            "bytes": 0,
            "width": 800,
            "height": 400,
        }
        address = stored.headers["Location"]
        assert address == f"/files/{shown['id']}"
        again = await files.send("POST", "/files", form(wide, "../../x.svg"), Content_Type=FORM)
        assert (again.status, again.json) == (201, shown)
        assert len(files.kept()) == 3
        assert await files.events() == [STORED]
        whole = await files.send("GET", address)
        assert (whole.status, len(whole.body)) == (200, shown["bytes"])
        assert whole.headers["ETag"] == f'"{shown["id"]}"'
        assert whole.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        for width in (600, 200):
            smaller = await files.send("GET", f"{address}?size={width}")
            (tmp_path / "smaller").write_bytes(smaller.body)
            with Image.open(tmp_path / "smaller") as picture:
                assert (picture.format, picture.size) == ("WEBP", (width, width // 2))
        part = await files.send("GET", address, Range="bytes=4-7")
        assert (part.status, part.body) == (206, whole.body[4:8])
        assert (await files.send("GET", f"{address}?size=4096")).status == 422
        beyond = await files.send("GET", address, Range="bytes=99999999-")
        assert (beyond.status, beyond.headers["Content-Range"]) == (416, f"bytes */{shown['bytes']}")


async def test_a_deleted_picture_is_gone_and_can_be_stored_again(tmp_path: Path) -> None:
    async with Files(tmp_path) as files:
        address = (await files.upload(PNG)).headers["Location"]
        for _ in range(2):
            assert (await files.send("DELETE", address)).status == 204
            assert (await files.send("GET", address)).status == 404
        assert files.kept() == []
        assert (await files.upload(PNG)).headers["Location"] == address
        assert (await files.send("GET", address)).status == 200
        assert await files.events() == [STORED, DELETED, STORED]


async def test_a_picture_that_is_uploaded_while_it_is_deleted_is_whole_or_gone(tmp_path: Path) -> None:
    async with Files(tmp_path) as files:
        address = (await files.upload(PNG)).headers["Location"]
        sent = [files.send("DELETE", address), files.upload(PNG), files.send("DELETE", address)]
        answers = await asyncio.gather(*sent, files.upload(PNG))
        assert {answer.status for answer in answers} == {204, 201}
        is_stored = (await files.events())[-1] == STORED
        assert len(files.kept()) == (3 if is_stored else 0)


async def test_what_is_no_picture_within_the_limits_leaves_nothing(tmp_path: Path) -> None:
    refused = {
        **{name: (content, {415, 422}) for name, content in NO_PICTURES.items()},
        **{name: (content, {422}) for name, content in (UNREADABLE | TOO_LARGE).items()},
        "a text that is called a picture": (form(b"text", "x.jpg"), {415}),
        "a form without its file": (form(PNG, field="other"), {422}),
        "a form that is cut": (form(PNG)[:-200], {400}),
        "two files": (form(PNG)[:-7] + b"\r\n" + form(PNG), {422}),
        "a picture that is too large": (bytes(21 << 20), {413}),
        "a form that is too large": (form(bytes(21 << 20)), {413}),
    }
    async with Files(tmp_path) as files:
        for name, (content, statuses) in refused.items():
            kind = FORM if content.startswith(b"--x\r\n") else "image/png"
            answer = await files.upload(content, Content_Type=kind)
            assert answer.status in statuses, name
            assert files.kept() == [], name
        long = await files.upload(b"", Content_Length=str(21 << 20))
        assert long.status == 413
        for wrong in ("..", "..%2Flog.sqlite", "x" * 64, "A" * 64, "0" * 64):
            for method in ("GET", "DELETE"):
                assert (await files.send(method, f"/files/{wrong}")).status == 404
        assert await files.events() == []


async def test_what_is_kept_of_a_picture_is_its_pixels(tmp_path: Path) -> None:
    async with Files(tmp_path) as files:
        assert (await files.upload(POLYGLOT)).json == (await files.upload(PNG)).json
        assert not any(b"script" in (tmp_path / path).read_bytes() for path in files.kept())


@pytest.mark.parametrize(
    ("framing", "body", "statuses"),
    [
        (b"Content-Length: 90000", PNG[:100], {408}),
        (b"Transfer-Encoding: chunked", b"5\r\nabc", {408}),
        # found before the handler reads, or while it does
        (b"Transfer-Encoding: chunked", b"5\r\nabcdefgh\r\n0\r\n\r\n", {400, 408}),
        (b"Transfer-Encoding: chunked", b"zz\r\nab\r\n", {400, 408}),
    ],
    ids=["slow", "stopped", "wrong chunk size", "no chunk size"],
)
async def test_a_body_that_does_not_come_to_its_end_leaves_nothing(
    tmp_path: Path, framing: bytes, body: bytes, statuses: set[int]
) -> None:
    guard = ConnectionLimits(body_idle_s=0.05, linger_s=0.05)
    async with Files(tmp_path) as files, files.listening(guard) as port:
        head = b"POST /files HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n%b\r\n\r\n" % framing
        answer = await json_of(port, head, body)
        assert status_of(answer) in statuses
        assert files.kept() == []


async def test_an_upload_needs_the_scope_and_a_picture_is_for_everyone(tmp_path: Path) -> None:
    callers = SignedCallers(b"secret of 16 bytes")
    manager = signed_in("a-ann", frozenset({"files:write"}), None)
    reader = signed_in("a-ben", frozenset({"read", "write"}), None)
    async with Files(tmp_path, callers) as files:
        stored = await files.send("POST", "/files", PNG, by=manager)
        address = stored.headers["Location"]
        for by, status in ((None, 401), (reader, 403)):
            assert (await files.send("POST", "/files", PNG, by=by)).status == status
            assert (await files.send("DELETE", address, by=by)).status == status
            assert (await files.send("GET", address, by=by)).status == 200
        assert (await files.send("DELETE", address, by=manager)).status == 204


async def test_the_most_bytes_of_a_picture_are_a_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOOKSHELF_FILES_MOST", str(len(PNG)))
    async with Files(tmp_path) as files:
        assert (await files.upload(PNG)).status == 201
        assert (await files.upload(PNG + b"\0")).status == 413
