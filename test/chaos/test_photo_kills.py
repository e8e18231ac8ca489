"""kill -9 of what counts votes, and of the deletion of an account: all counts stay exact, nothing is left."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from support.client import Client
from support.photo_events import photo_added
from support.photo_folder import PhotoFolder
from support.program import Program
from support.until import until
from support.users import PASSWORD

from bookshelf.cqrs.message import Event
from bookshelf.photos.events import CommentAdded, VoteCast

pytestmark = pytest.mark.chaos

AT = datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
ACCOUNTS = {"BOOKSHELF_ACCOUNTS": "on", "BOOKSHELF_PHOTOS_VOTES_A_MINUTE": "100000"}
ONLY = ("--only", "photos", "--only", "accounts")
#: A third of the things that the deletion removes.
PUBLISHED = 3000
DELETION_KILLS, VOTE_KILLS, BATCH_KILLS = 10, 5, 5


def signed_in(client: Client, handle: str) -> tuple[str, dict[str, str]]:
    """Make an account; return its id, and the header of its requests."""
    account = {
        "handle": handle,
        "name": f"Name {handle}",
        "email": f"{handle}@example.org",
        "password": PASSWORD,
    }
    assert client.post("/accounts", account).status == 201
    tokens = client.post("/accounts/login", {"login": handle, "password": PASSWORD}).json
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    return str(client.get("/accounts/me", **headers).json["id"]), headers


def published_by(person: str, photos: int) -> Iterator[tuple[str, Event]]:
    """Yield photos of a person, and as many of another one that the person has voted for and commented on."""
    for number in range(photos):
        at = AT + timedelta(seconds=number)
        own, other = f"own-{number}", f"other-{number}"
        yield own, photo_added(person, at)
        yield other, photo_added("a-other", at)
        yield f"{other}~v-{person}", VoteCast(way=1, at=at)
        yield f"{other}~v-a-third", VoteCast(way=-1, at=at)
        yield f"{other}~c-{number}", CommentAdded(person=person, text="hello", at=at)
        yield f"{own}~c-{number}", CommentAdded(person="a-third", text="hello", at=at)


def test_the_deletion_of_an_account_is_killed_ten_times(tmp_path: Path) -> None:
    random = Random(16)  # noqa: S311 (the same moments every time)
    folder = PhotoFolder(tmp_path / "data")
    with Program(folder.data, *ONLY, env=ACCOUNTS).ready() as up:
        person, _ = signed_in(up.client, "ann")
        assert up.stop().well
    folder.add(published_by(person, PUBLISHED))
    with Program(folder.data, *ONLY, env=ACCOUNTS).ready() as up:
        tokens = up.client.post("/accounts/login", {"login": "ann", "password": PASSWORD}).json
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        assert up.client.send("DELETE", "/accounts/me", {"password": PASSWORD}, **headers).status < 300
        up.kill()
    began = 6 * PUBLISHED
    for _ in range(DELETION_KILLS - 1):
        with Program(folder.data, *ONLY, env=ACCOUNTS) as up:
            moment = folder.records() + random.randint(1, 500)
            until(lambda moment=moment: folder.records() >= moment, "the deletion goes on")  # type: ignore[misc]
            up.kill()
    assert folder.deletions() == [person]  # the kills came while it went on
    with Program(folder.data, *ONLY, env=ACCOUNTS).ready() as up:
        until(lambda: not folder.deletions(), "the deletion is complete", 300)
        assert up.client.get(f"/people/{person}").status == 410
        assert up.client.get("/photos/own-0").status == 410
        other = up.client.get("/photos/other-0").json
        assert (other["up"], other["down"], other["comments"]) == (0, 1, 0)
        assert up.stop().well
    assert folder.violations() == []
    removed = folder.size() - began
    assert 3 * PUBLISHED < removed < 3 * PUBLISHED + 100  # each once, in some rounds


class Voters:
    """Persons that vote for photos all the time, and repeat each vote until it is answered."""

    def __init__(self, persons: dict[str, dict[str, str]], photos: list[str]) -> None:
        self._photos = photos
        self.url = ""
        self._end = threading.Event()
        #: The last answered vote of each person for each photo, and the number of all.
        self.last: dict[tuple[str, str], int] = {}
        self.answered = 0
        self._threads = [
            threading.Thread(target=self._vote, args=(number, person, headers))
            for number, (person, headers) in enumerate(persons.items())
        ]

    def _vote(self, number: int, person: str, headers: dict[str, str]) -> None:
        random = Random(number)  # noqa: S311 (no secret)
        while not self._end.is_set():
            photo, way = random.choice(self._photos), random.choice([1, -1, 0])
            self._repeat(photo, way, headers)
            self.last[photo, person] = way
            self.answered += 1

    def _repeat(self, photo: str, way: int, headers: dict[str, str]) -> None:
        """Send a vote until it is answered, also by the next program."""
        while True:
            try:
                client = Client(self.url, "/bookshelf")
                if way:
                    body = {"way": "up" if way == 1 else "down"}
                    status = client.send("PUT", f"/photos/{photo}/vote", body, **headers).status
                else:
                    status = client.send("DELETE", f"/photos/{photo}/vote", **headers).status
            except OSError:
                status = 0
            if status == 200:
                return
            assert status in {0, 502, 503, 504}, status
            time.sleep(0.02)  # sleep: as a client that asks again

    def begin(self, url: str) -> None:
        """Let all vote at an address."""
        self.url = url
        for thread in self._threads:
            if not thread.is_alive():
                thread.start()

    def end(self) -> None:
        """Return once the last vote of each is answered."""
        self._end.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive()


def test_votes_are_killed_under_load_and_each_counts_once(tmp_path: Path) -> None:
    random = Random(17)  # noqa: S311 (as above)
    folder, photos = PhotoFolder(tmp_path / "data"), [f"p{number}" for number in range(5)]
    folder.add((photo, photo_added("a-other", AT)) for photo in photos)
    with Program(folder.data, *ONLY, env=ACCOUNTS).ready() as up:
        persons = dict(signed_in(up.client, f"voter{number}") for number in range(10))
        assert up.stop().well
    voters = Voters(persons, photos)
    for _ in range(VOTE_KILLS):
        with Program(folder.data, *ONLY, env=ACCOUNTS).ready() as up:
            enough = voters.answered + random.randint(50, 400)
            voters.begin(up.note.url)
            until(lambda enough=enough: voters.answered >= enough, "votes are answered")  # type: ignore[misc]
            up.kill()
    with Program(folder.data, *ONLY, env=ACCOUNTS).ready() as up:
        voters.url = up.note.url
        voters.end()
        for photo in photos:
            ways = [way for (voted, _), way in voters.last.items() if voted == photo]
            found = up.client.get(f"/photos/{photo}").json
            assert (found["up"], found["down"]) == (ways.count(1), ways.count(-1))
        assert up.stop().well
    assert folder.violations() == []
    assert voters.answered >= VOTE_KILLS * 50


def voted(photos: int, rounds: int) -> Iterator[tuple[str, Event]]:
    """Yield photos with votes of 20 persons; each votes again and again the other way."""
    for number in range(photos):
        yield f"p{number}", photo_added("a-owner", AT + timedelta(seconds=number))
    previous: dict[str, VoteCast] = {}
    for number in range(rounds * photos * 20):
        key = f"p{number % photos}~v-a-{number // photos % 20}"
        before, at = previous.get(key), AT + timedelta(seconds=number)
        vote = VoteCast(way=1, at=at)
        if before is not None:
            vote = VoteCast(way=-before.way, at=at, previous=before.way, previous_at=before.at)
        previous[key] = vote
        yield key, vote


def test_timelines_are_killed_in_a_batch_and_their_counts_are_those_of_the_log(tmp_path: Path) -> None:
    random = Random(18)  # noqa: S311 (as above)
    folder = PhotoFolder(tmp_path / "data")
    folder.add(voted(photos=20, rounds=100))  # 40,000 votes
    end, moments = folder.size(), []
    for _ in range(BATCH_KILLS):
        before = folder.applied()
        moment = before + random.randint(1, max(1, (end - before) // 3))
        with Program(folder.data, "--only", "photos") as up:
            until(lambda moment=moment: folder.applied() >= moment, "the timelines have come so far")  # type: ignore[misc]
            up.kill()
        moments.append(folder.applied())
    assert moments[0] < end, "a kill came before the end"
    assert folder.violations() == []
    with Program(folder.data, "--only", "photos").ready() as up:
        assert up.client.get("/photos/p0").json["votes"] == 20
        assert up.stop().well
    assert folder.applied() == end
    assert folder.violations() == []
