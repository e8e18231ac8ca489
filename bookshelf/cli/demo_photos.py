"""`bookshelf demo photos`: a month of a gallery, with pictures that are drawn here."""

import asyncio
import os
import shlex
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import click
import msgspec
from rich.console import Console
from rich.progress import track

from bookshelf.cli.command import guarded, run, stop
from bookshelf.cli.demo_people import StoryClock, register, send_as, wait_for
from bookshelf.cli.embedded import Embedded, embedded
from bookshelf.config import Settings, read
from bookshelf.cqrs.handler import Caller
from bookshelf.photos.demo.scenes import draw_scene
from bookshelf.photos.demo.story import (
    MEMBERS,
    PHOTOS,
    DemoComment,
    DemoVote,
    PhotoStep,
    Publish,
    demo_photo_story,
)
from bookshelf.photos.events import TOPIC
from bookshelf.runtime.data_folder import running
from bookshelf.services import chosen

_SCOPES = frozenset({"read", "write"})
_MODERATOR = ("moderator", "Maud Ellery")
#: Time between two steps, so that no person is faster than allowed.
_MOMENT = timedelta(seconds=5)
_BOUNDARY = "picture-of-the-demo"


class DemoGallery:
    """Plays the story in a running gallery, each step as a request of the person that does it."""

    def __init__(self, shelf: Embedded, clock: StoryClock, seed: int) -> None:
        self._shelf = shelf
        self._clock = clock
        self._seed = seed
        self._members: list[Caller] = []
        self._ids: dict[int, str] = {}
        self._published: list[tuple[int, int]] = []

    async def open(self) -> tuple[str, str]:
        """Open all accounts. Return the passwords of the moderator and of the first member."""
        _moderator, password = await register(self._shelf, *_MODERATOR, "moderator")
        passwords = []
        for member in MEMBERS:
            account, its_password = await register(self._shelf, member.handle, member.name)
            caller = Caller(actor=account, account=account, owner=account, scopes=_SCOPES)
            self._members.append(caller)
            passwords.append(its_password)
        return password, passwords[0]

    async def introduce(self) -> None:
        """Fill in the profiles of the members, and choose a photo for each that has one."""
        for number, (member, caller) in enumerate(zip(MEMBERS, self._members, strict=True)):
            own = [self._ids[photo] for owner, photo in self._published if owner == number]
            fields = {"about": member.about, "avatar": own[0] if own else ""}
            await wait_for(self._shelf, caller, "/me")  # a process registers the profile of an account
            await send_as(self._shelf, caller, "PATCH", "/me", fields)

    async def play(self, steps: Iterable[PhotoStep]) -> None:
        """Do what happens, each thing at its time."""
        for number, step in enumerate(steps):
            self._clock.set(max(step.when, self._clock.now() + _MOMENT))
            caller, key = self._members[step.member], f"demo-{number}"
            match step:
                case Publish(photo=photo):
                    self._ids[photo] = await self._publish(caller, photo, key)
                    self._published.append((step.member, photo))
                case DemoVote(photo=photo, way=way):
                    path = f"/photos/{self._ids[photo]}/vote"
                    await send_as(self._shelf, caller, "PUT", path, {"way": way}, Idempotency_Key=key)
                case DemoComment(photo=photo, text=text):
                    path = f"/photos/{self._ids[photo]}/comments"
                    await send_as(self._shelf, caller, "POST", path, {"text": text}, Idempotency_Key=key)

    async def _publish(self, caller: Caller, number: int, key: str) -> str:
        photo = PHOTOS[number]
        drawn = await asyncio.to_thread(
            draw_scene, photo.scene, photo.light, photo.size, self._seed * 100 + number
        )
        made = await send_as(
            self._shelf,
            caller,
            "POST",
            "/photos",
            _form({"title": photo.title, "description": photo.description}, drawn),
            Content_Type=f"multipart/form-data; boundary={_BOUNDARY}",
            Idempotency_Key=key,
        )
        return str(made["id"])


def _form(fields: dict[str, str], picture: bytes) -> bytes:
    parts = [(f'name="{name}"', text.encode()) for name, text in fields.items()]
    parts.append(('name="file"; filename="photo.jpg"', picture))
    body = b"".join(
        f"--{_BOUNDARY}\r\nContent-Disposition: form-data; {head}\r\n\r\n".encode() + content + b"\r\n"
        for head, content in parts
    )
    return body + f"--{_BOUNDARY}--\r\n".encode()


@click.command()
@click.option("--data", metavar="DIR", required=True, help="The folder to fill; it must not have photos yet.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same gallery.")
@click.option(
    "--pictures",
    type=click.IntRange(1, len(PHOTOS)),
    default=len(PHOTOS),
    show_default=True,
    help="How many pictures are drawn.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def photos(data: str, seed: int, pictures: int, *, as_json: bool) -> None:
    """Make a gallery of pictures that are drawn here, with the votes and comments of 10 people."""
    guarded(lambda: run(_make_gallery(read(os.environ, data=data), seed, pictures, as_json=as_json)))


async def _make_gallery(settings: Settings, seed: int, pictures: int, *, as_json: bool) -> None:
    if running(settings.folder) is not None:
        stop(f"a shelf runs on {settings.folder}; stop it first, or name a new folder with --data")
    end = datetime.now(UTC)
    steps = demo_photo_story(end, seed, pictures)
    clock = StoryClock(steps[0].when - timedelta(days=1))
    async with embedded(
        settings.private(accounts=True), chosen(("accounts", "photos")), clock=clock
    ) as shelf:
        if any([await shelf.log.end(TOPIC, n) for n in range(shelf.log.partitions(TOPIC))]):
            stop(f"there are photos in {settings.folder} already; name a new folder with --data")
        gallery = DemoGallery(shelf, clock, seed)
        moderator, member = await gallery.open()
        await gallery.play(_shown(steps, quiet=as_json))
        clock.set(end)
        await gallery.introduce()
    result = {
        "data": str(settings.folder),
        "moderator": {"login": _MODERATOR[0], "password": moderator},
        "member": {"login": MEMBERS[0].handle, "password": member},
    }
    if as_json:
        click.echo(msgspec.json.encode(result))
        return
    click.echo(f"A gallery of {pictures} pictures and {len(MEMBERS)} people is in {settings.folder}.")
    click.echo(f"Moderator: {_MODERATOR[0]}  {moderator}")
    click.echo(f"Member:    {MEMBERS[0].handle}  {member}")
    click.echo(f"Start it:  BOOKSHELF_ACCOUNTS=on bookshelf up --data {shlex.quote(str(settings.folder))}")
    click.echo("Then look at /gallery.")


def _shown(steps: Sequence[PhotoStep], *, quiet: bool) -> Iterable[PhotoStep]:
    console = Console(stderr=True, quiet=quiet)
    return track(steps, "A month of the gallery", console=console, transient=True)
