"""`bookshelf photos`: checks photos and their images, removes photos, and deletes unused images."""

import os
import sys
import time
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from urllib.parse import quote, urlencode
from uuid import uuid4

import click
import msgspec

from bookshelf.cli.blobs import open_blobs
from bookshelf.cli.client import Shelf
from bookshelf.cli.command import MENDABLE, guarded, run, stop
from bookshelf.cli.log_reader import Range, asked_of, log_options, looked_through, watched
from bookshelf.cli.on_shelf import OnShelf, on_a_shelf
from bookshelf.cli.photo_images import ImageReport, check_images
from bookshelf.cli.photo_recount import (
    TimelineRows,
    read_shared_rows,
    read_timeline_rows,
    recount_photos,
    violations_of,
)
from bookshelf.config import read, read_network
from bookshelf.cqrs.errors import Malformed
from bookshelf.log.port import Record
from bookshelf.media.port import BlobInfo, BlobStore
from bookshelf.media.sweep import Named, find_unused, sweep
from bookshelf.photos import events as photo_events
from bookshelf.photos.images import NAMESPACE
from bookshelf.photos.published import PublishedPhotos
from bookshelf.runtime.logs import configure
from bookshelf.shelf import events as shelf_events

#: What the namespaces of covers begin with: that of the local reader, and those of people.
_COVERS = "covers"
_PREFIX = "/bookshelf"
_ERROR = 400


@click.group()
def photos() -> None:
    """Check photos and their images, remove photos and comments, and delete unused images."""
    configure("critical", "auto")


@photos.command()
@log_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def verify(data: str | None, broker: str | None, *, as_json: bool) -> None:
    """Recount votes, comments and deletions, and read every image of every photo.

    An image must be there, complete, and have pixels only. Counts must be those of the log: in the rows of
    the folder, or with --broker in those of the database of the setting `storage`. Exit code 2 if something
    does not hold. Folder and database may be in use and are not changed.
    """

    async def work() -> None:
        settings = read(os.environ, data=data)
        found = await check_images(await _published(data, broker), open_blobs(settings))
        rows = await _rows(settings.folder, data, broker)
        async with watched(data, broker, photo_events.TOPIC) as log:
            broken = await violations_of(log, rows)
        found.violations += len(broken)
        if as_json:
            click.echo(msgspec.json.encode({**msgspec.to_builtins(found), "counts": broken}))
        else:
            _show(found)
            for text in broken:
                click.echo(text)
        if found.violations:
            sys.exit(MENDABLE)

    guarded(lambda: run(work()))


@photos.command()
@click.argument("photo")
@click.argument("comment", required=False)
@click.option("--reason", required=True, help="Why; it is kept with the removal.")
@on_a_shelf
def remove(photo: str, comment: str | None, reason: str, on_shelf: OnShelf) -> None:
    """Remove a photo, or one comment on it, as a moderator.

    The person of --login needs the right photos:moderate, which the group `moderator` gives. What was removed
    before is left as it is.
    """
    named = f"/photos/{quote(photo, safe='')}"
    if comment is not None:
        named += f"/comments/{quote(comment, safe='')}"

    async def work(client: Shelf) -> None:
        target = f"{_PREFIX}{named}?{urlencode({'text': reason})}"
        answer = await client.send("DELETE", target, None, {"Idempotency-Key": str(uuid4())})
        if answer.status >= _ERROR:
            stop(answer.detail)
        click.echo("The photo is removed." if comment is None else "The comment is removed.")

    on_shelf(work)


async def _rows(folder: Path, data: str | None, broker: str | None) -> TimelineRows | None:
    """Return the rows of the folder, or with Kafka those of the database that is set."""
    if asked_of(data, broker) is None:
        return read_timeline_rows(folder)
    storage = read_network(os.environ, broker=broker).storage.url
    return await read_shared_rows(storage) if storage else None


@photos.command()
@log_options
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def deletions(data: str | None, broker: str | None, *, as_json: bool) -> None:
    """List the people whose profiles are being deleted, and what is left of each."""

    async def work() -> None:
        async with watched(data, broker, photo_events.TOPIC) as log:
            left = (await recount_photos(log)).left()
        if as_json:
            click.echo(msgspec.json.encode(left))
            return
        for of in left:
            counts = f"{of.photos} photos, {of.comments} comments, {of.votes} votes left"
            click.echo(f"{of.person}  round {of.round}  {counts}")
        click.echo(f"{len(left)} profiles are being deleted.")

    guarded(lambda: run(work()))


@photos.command("sweep")
@log_options
@click.option("--dry-run", is_flag=True, help="List what would be deleted, and delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def sweep_command(data: str | None, broker: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Delete the images that no photo names, and the covers that were never set for a book.

    What was stored in the last 24 hours stays. The folder may be in use; the command can be ended and run
    again.
    """

    async def work() -> None:
        blobs = open_blobs(read(os.environ, data=data))
        swept = [blob async for blob in _swept(blobs, data, broker, dry_run=dry_run)]
        if as_json:
            click.echo(msgspec.json.encode({"dry_run": dry_run, "blobs": swept}))
            return
        for blob in swept:
            click.echo(f"{blob.name}  {blob.size:,} bytes")
        size = sum(blob.size for blob in swept)
        done = "would be deleted" if dry_run else "deleted"
        click.echo(f"{len(swept)} images {done}, {size:,} bytes.")

    guarded(lambda: run(work()))


async def _swept(
    blobs: BlobStore, data: str | None, broker: str | None, *, dry_run: bool
) -> AsyncIterator[BlobInfo]:
    act = find_unused if dry_run else sweep
    now_s = time.time()
    # each log is read once: what is named later was put shortly before, so it is too young to be deleted
    covers: frozenset[str] | None = None
    for namespace in sorted(await blobs.namespaces()):
        if namespace == NAMESPACE:
            named = await _named_images(data, broker)
        elif namespace.startswith(_COVERS):
            named = covers = await _covers(data, broker) if covers is None else covers
        else:
            continue
        async for blob in act(blobs, namespace, _always(named), now_s):
            yield blob


def _always(named: frozenset[str]) -> Named:
    async def found(_digests: Collection[str]) -> Collection[str]:
        return named

    return found


async def _named_images(data: str | None, broker: str | None) -> frozenset[str]:
    published = await _published(data, broker)
    if published.unreadable:
        stop(f"nothing is deleted while a record cannot be read: {published.unreadable[0]}")
    return published.digests


async def _records(data: str | None, broker: str | None, topic: str) -> AsyncIterator[Record]:
    async with watched(data, broker, topic) as log:
        where = Range(topic=topic, whole=True, follow=False)
        async for record in looked_through(log, where, lambda: None):
            yield record


async def _published(data: str | None, broker: str | None) -> PublishedPhotos:
    published = PublishedPhotos()
    async for record in _records(data, broker, photo_events.TOPIC):
        published.add(record.key, record.value)
    return published


async def _covers(data: str | None, broker: str | None) -> frozenset[str]:
    """Return the digests of all covers that were ever set: a change that is undone sets one again."""
    digests = set()
    async for record in _records(data, broker, shelf_events.TOPIC):
        try:
            _, event = shelf_events.EVENTS.read(record.value)
        except Malformed as fault:
            stop(f"nothing is deleted while a record cannot be read: {fault}")
        if isinstance(event, shelf_events.CoverSet):
            digests.add(event.digest)
    return frozenset(digests)


def _show(found: ImageReport) -> None:
    for name, texts in (
        ("missing", found.missing),
        ("damaged", found.damaged),
        ("with more than pixels", found.unclean),
        ("unreadable", found.unreadable),
    ):
        for text in texts:
            click.echo(f"{name}: {text}")
    outcome = "all there and clean" if not found.violations else f"{found.violations} violations"
    click.echo(f"{found.photos} photos, {found.images} images of {found.bytes:,} bytes, {outcome}.")
