"""Hundreds of clients that change one book: each change is made once, and answered with its own result."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from support.client import Client, Reply
from support.program import Program
from support.until import until


def test_each_of_many_changes_at_once_is_answered_with_its_own_content(running: Program) -> None:
    book = running.client.add("Kim")
    path = f"/books/{book['id']}"

    def change(n: int) -> Reply:
        return running.client.patch(path, {"notes": f"by {n}", "pages": n + 1})

    with ThreadPoolExecutor(64) as clients:
        replies = list(clients.map(change, range(300)))
    assert {reply.status for reply in replies} == {200}
    assert [(reply.json["notes"], reply.json["pages"]) for reply in replies] == [
        (f"by {n}", n + 1) for n in range(300)
    ]
    assert len({reply.headers["etag"] for reply in replies}) == 300
    positions = [reply.headers["bookshelf-position"].partition("@")[2] for reply in replies]
    assert [f'"{position}"' for position in positions] == [reply.headers["etag"] for reply in replies]
    newest = max(replies, key=lambda reply: int(reply.headers["etag"].strip('"')))
    after = newest.headers["bookshelf-position"]
    now = running.client.get(path, Bookshelf_After=after)
    assert (now.json, now.headers["etag"]) == (newest.json, newest.headers["etag"])


class Writer:
    """A client that makes one change after the other, each until it is acknowledged, under one key."""

    def __init__(self, number: int, port: int, path: str) -> None:
        self._number = number
        self._port = port
        self._path = path
        self.acknowledged: list[str] = []

    def run(self, changes: int) -> None:
        for n in range(changes):
            note = f"writer {self._number}, change {n}"
            while not self._tried(note):
                pass
            self.acknowledged.append(note)

    def _tried(self, note: str) -> bool:
        client = Client(f"http://127.0.0.1:{self._port}", "/bookshelf")
        try:
            reply = client.patch(self._path, {"notes": note}, Idempotency_Key=note)
        except OSError:
            return False
        assert reply.status in {200, 502, 503, 504}, (reply.status, reply.content)
        assert reply.status != 200 or reply.json["notes"] == note
        return reply.status == 200


def test_changes_of_one_book_survive_kill_9_each_once(tmp_path: Path) -> None:
    clients, changes = 100, 12
    up = Program(tmp_path).ready()
    port = up.client.port
    path = f"/books/{up.client.add('Kim')['id']}"
    writers = [Writer(n, port, path) for n in range(clients)]
    threads = [threading.Thread(target=writer.run, args=(changes,)) for writer in writers]
    for thread in threads:
        thread.start()
    for share in (4, 2):
        until(
            lambda share=share: sum(len(one.acknowledged) for one in writers) > clients * changes // share,  # type: ignore[misc]
            "a share of the changes is acknowledged",
        )
        up.kill()
        up = Program(tmp_path, "--port", str(port)).ready()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    client = up.client
    assert client.patch(path, {"pages": 1}).status == 200  # from here on it reads everything before
    events = client.every_item(f"{path}/history")
    notes = [event["data"]["notes"] for event in events if "notes" in event["data"]]
    expected = sorted(note for writer in writers for note in writer.acknowledged)
    assert sorted(notes) == expected
    assert len(expected) == clients * changes
    assert up.stop().well
