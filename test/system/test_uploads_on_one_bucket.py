"""Several instances of uploads on one bucket, each a process: a kill and a sweep lose and leave nothing."""

import asyncio
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from support import s3_server
from support.client import Client
from support.consul import Agent
from support.faketime import shifted
from support.fleet import HOST, Fleet
from support.instance import names_of_its_own
from support.kafka import Broker
from support.member import PATIENCE_S, Member
from support.photos import FORM, form
from support.pictures import encoded, gradient
from support.process import DEADLINE_S, bookshelf, environment
from support.until import until
from support.upstream import pieces

from bookshelf.cli.blobs import open_blobs
from bookshelf.config import Settings
from bookshelf.media.port import BlobStore

pytestmark = [pytest.mark.needs("kafka", "consul", "s3", "faketime"), pytest.mark.slow]
#: Photos that are uploaded at once, on so many connections; one instance is killed after some of them.
PHOTOS, SENDERS, BEFORE_THE_KILL = 16, 4, 3
#: Hours after which a sweep takes what was stored by now.
LATER_H = 25


@pytest.fixture
def settings(s3: s3_server.S3Server) -> dict[str, str]:
    """The environment of the instances and of the commands."""
    return {
        "BOOKSHELF_BLOBS": f"s3://{s3.new_bucket()}?endpoint={s3.endpoint}",
        "BOOKSHELF_PHOTOS_WORKERS": "1",
        "BOOKSHELF_PHOTOS_UPLOADS_MINUTE": "1000",
        "BOOKSHELF_GATEWAY_RATE": "",
        **s3_server.CREDENTIALS,
        **names_of_its_own(),
    }


@pytest.fixture
def fleet(
    kafka_broker: Broker, consul_agent: Agent, settings: Mapping[str, str], tmp_path: Path
) -> Iterator[Fleet]:
    """Two instances of uploads, and a gateway that has found them."""
    made = Fleet(tmp_path / "fleet", kafka_broker.address, f"{HOST}:{consul_agent.ports.http}", **settings)
    try:
        members = [made.launch("uploads", 1), made.launch("uploads", 2), made.launch("gateway", 1)]
        for member in members:
            member.ready()
        until(lambda: _is_known(made), "the gateway knows uploads", PATIENCE_S)
        yield made
    finally:
        made.close()
        consul_agent.clear()


def _is_known(fleet: Fleet) -> bool:
    return fleet.gateway.ask("GET", "/photos/none/image").status == 404


@pytest.fixture
def blobs(settings: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BlobStore:
    """What is in the bucket."""
    for name, value in s3_server.CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    return open_blobs(Settings(data=str(tmp_path), blobs=settings["BOOKSHELF_BLOBS"]))


def publish(client: Client, number: int) -> dict[str, Any]:
    """Publish a picture, again and again with the same key until it is acknowledged; return the photo."""
    content = form(encoded(gradient(90 + number, 60), "PNG"), title=f"Photo {number}")
    answers: list[Any] = []

    def is_published() -> bool:
        try:
            answers.append(
                client.ask("POST", "/photos", content, Content_Type=FORM, Idempotency_Key=f"photo-{number}")
            )
        except OSError:
            return False
        assert answers[-1].status in {201, 429, 502, 503, 504}, answers[-1]
        return bool(answers[-1].status == 201)

    until(is_published, f"photo {number} is published", PATIENCE_S)
    photo: dict[str, Any] = answers[-1].json
    return photo


def shows(member: Member, photo: Mapping[str, Any]) -> bool:
    """Return True if an instance shows the very image that the photo names."""
    assert member.port is not None
    answer = Client(f"http://{HOST}:{member.port}").get(f"/photos/{photo['id']}/image?size=master")
    digest = blake2b(answer.content, digest_size=32).hexdigest()
    return (answer.status, digest) == (200, photo["images"]["master"]["digest"])


def kill_one_while_photos_come_in(fleet: Fleet) -> list[dict[str, Any]]:
    """Publish photos by the gateway, kill an instance -9 meanwhile and start it again; return the photos."""
    with ThreadPoolExecutor(SENDERS) as senders:
        sent: Sequence[Future[dict[str, Any]]] = [
            senders.submit(publish, fleet.gateway, number) for number in range(PHOTOS)
        ]
        until(lambda: sum(one.done() for one in sent) >= BEFORE_THE_KILL, "some are published", PATIENCE_S)
        fleet.members["uploads-1"].kill()
        fleet.start("uploads", 1)
        return [one.result() for one in sent]


def named_images(photos: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names of the blobs that photos name."""
    return {f"photos/{image['digest']}" for photo in photos for image in photo["images"].values()}


async def stored(blobs: BlobStore) -> set[str]:
    """Return the names of the blobs that are there."""
    return {blob.name async for blob in blobs.list("photos")}


def sweep_twice_at_once(fleet: Fleet, settings: Mapping[str, str]) -> list[str]:
    """Sweep by two commands whose clocks are a day ahead; return the names of the blobs that they deleted."""
    command = [*shifted(LATER_H), "photos", "sweep", "--broker", fleet.broker, "--json"]
    running = [
        subprocess.Popen(command, env=environment(settings), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=DEADLINE_S)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    return [blob["name"] for output in outputs for blob in json.loads(output)["blobs"]]


def verified(fleet: Fleet, settings: Mapping[str, str]) -> Any:  # noqa: ANN401 (the JSON of a command)
    """Return what `bookshelf photos verify` has found."""
    return json.loads(bookshelf("photos", "verify", "--broker", fleet.broker, "--json", env=settings).well)


def test_each_instance_shows_the_photos_of_both_and_a_kill_and_a_sweep_lose_none(
    fleet: Fleet, settings: dict[str, str], blobs: BlobStore
) -> None:
    photos = kill_one_while_photos_come_in(fleet)
    assert len({photo["id"] for photo in photos}) == PHOTOS
    both = fleet.of("uploads")
    assert len(both) == 2
    assert all(shows(member, photo) for photo in photos for member in both)
    orphan = f"photos/{blake2b(b'none', digest_size=32).hexdigest()}"
    asyncio.run(blobs.put(orphan, pieces(b"none")))
    left = asyncio.run(stored(blobs)) - named_images(photos)
    deleted = sweep_twice_at_once(fleet, settings)
    assert set(deleted) == left
    assert orphan in deleted
    assert asyncio.run(stored(blobs)) == named_images(photos)
    found = verified(fleet, settings)
    assert (found["photos"], found["violations"], found["missing"]) == (PHOTOS, 0, [])
    assert all(shows(member, photos[-1]) for member in both)
