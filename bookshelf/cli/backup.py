"""`bookshelf backup` and `bookshelf restore`: copy all data that cannot be rebuilt, and bring it back."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from bookshelf.cli.command import guarded, stop
from bookshelf.cluster.settings import ClusterSettings
from bookshelf.config import load, read
from bookshelf.log.sqlite.database import LogContent
from bookshelf.runtime.agent.repository import RepositoryFault, folder_of
from bookshelf.runtime.backup import BackupFault, restore_backup, write_backup
from bookshelf.runtime.blob_backup import BLOBS, find_blobs
from bookshelf.runtime.logs import configure
from bookshelf.runtime.repository_backup import REPOSITORY

_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


@click.command()
@click.argument("target", type=click.Path(path_type=Path, file_okay=False))
@click.option("--data", metavar="DIR", help="The data folder of the shelf, running or not.")
@click.option(
    "--keep", type=click.IntRange(min=1), metavar="N", help="Remove all but the newest N backups in TARGET."
)
@_json
def backup(target: Path, data: str | None, keep: int | None, *, as_json: bool) -> None:
    """Write a checked backup of the shelf to a new folder in TARGET; the shelf may run meanwhile."""

    def work() -> None:
        settings = read(os.environ, data=data)
        blobs_in = None if settings.has_bucket else settings.blob_folder
        location, repository = _repository()
        made, manifest = write_backup(settings.folder, target, datetime.now(UTC), keep, blobs_in, repository)
        elsewhere = location if location and repository is None else ""
        if as_json:
            missing = [settings.blobs] if settings.has_bucket else []
            missing += [elsewhere] if elsewhere else []
            _print_json({"backup": str(made), "manifest": manifest, "not_included": missing})
            return
        size = sum(file.bytes for file in manifest.files)
        click.echo(f"Backup:   {made}")
        blobs = sum(file.part == BLOBS for file in manifest.files)
        uploaded = f", {blobs:,} files of uploaded pictures" if blobs else ""
        if stored := sum(file.part == REPOSITORY for file in manifest.files):
            uploaded += f", {stored:,} files of the repository"
        click.echo(f"Contains: {_describe(manifest.log)}{uploaded}; {size:,} bytes, checked.")
        if elsewhere:
            click.echo(f"Not in it: the repository at {elsewhere}; its server needs a backup of its own.")
        if settings.has_bucket:
            click.echo(f"Not in it: the pictures in {settings.blobs}; the bucket needs a backup of its own.")

    _run(work)


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--data", metavar="DIR", help="The data folder to restore to; nothing may run on it.")
@click.option("--replace", is_flag=True, help="Replace the log in the folder; it is kept in a subfolder.")
@_json
def restore(source: Path, data: str | None, *, replace: bool, as_json: bool) -> None:
    """Restore the shelf from SOURCE: a backup, or a copy of log.sqlite."""

    def work() -> None:
        settings = read(os.environ, data=data)
        blobs = None if settings.has_bucket else settings.blob_folder
        location, repository = _repository()
        restored = restore_backup(
            source,
            settings.folder,
            datetime.now(UTC),
            replace=replace,
            blobs=blobs,
            repository=repository,
        )
        if as_json:
            _print_json(restored)
            return
        click.echo(f"Restored: {_describe(restored.log)}")
        click.echo(f"Data:     {restored.data}")
        if restored.kept is not None:
            click.echo(f"The log of before is in {restored.kept}")
        if restored.repository is not None:
            click.echo(f"Repository: {restored.repository}")
            if Path(restored.repository) != repository:
                other = f"is {location}, which has another one" if location else "is not set"
                click.echo(f"It is not in use, because cluster_repository {other}: name this folder there,")
                click.echo("or add its files to that one with `bookshelf repo add`.")
        if settings.has_bucket and find_blobs(settings.folder / BLOBS):
            click.echo(f"Pictures are in {settings.folder / BLOBS}: copy them to {settings.blobs}.")

    _run(work)


def _repository() -> tuple[str, Path | None]:
    """Return the setting of the domain's repository, and its folder if it is on this machine."""
    location = load(ClusterSettings, os.environ).cluster_repository
    try:
        return location, folder_of(location)
    except RepositoryFault as fault:
        stop(f"cluster_repository: {fault}")


def _run(work: Callable[[], None]) -> None:
    configure("critical", "auto")
    try:
        guarded(work)
    except BackupFault as fault:
        stop(str(fault))


def _print_json(value: Any) -> None:  # noqa: ANN401 (anything that can be encoded)
    click.echo(msgspec.json.encode(value))


def _describe(log: LogContent) -> str:
    topics = [f"{count:,} records of topic {topic}" for topic, count in log.records.items()]
    return ", ".join(topics) or "no records"
