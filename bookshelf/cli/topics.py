"""`bookshelf topics`: compares the topics of the log with those that the services need."""

import sys
from collections.abc import Sequence

import click
import msgspec
from rich.table import Table

from bookshelf.cli.event_reader import PipeConsole, plain
from bookshelf.cli.faults import guarded, stop
from bookshelf.cli.instance import topics as needed
from bookshelf.cli.log_source import asked_of, embedded, log_options
from bookshelf.cli.loop import run
from bookshelf.config import missing_extra
from bookshelf.log.kafka.settings import Finding, KafkaSettings
from bookshelf.runtime.logs import configure


@click.group()
def topics() -> None:
    """Look after the topics of the log."""
    configure("warning", "auto")


@topics.command("check")
@click.option("--json", "as_json", is_flag=True, help="Print them as one JSON array.")
@log_options
def check_(data: str | None, broker: str | None, *, as_json: bool) -> None:
    """Compare every topic that services need with the log; change nothing.

    The exit code is 0 if all is well, and 2 if something is to be corrected.
    """
    guarded(lambda: run(_check(data, broker, as_json=as_json)))


async def _check(data: str | None, broker: str | None, *, as_json: bool) -> None:
    kafka = asked_of(data, broker)
    lines = _embedded(data) if kafka is None else await _on_kafka(kafka)
    if as_json:
        click.echo(msgspec.json.encode(lines))
    elif sys.stdout.isatty():
        PipeConsole(highlight=False).print(_table(lines))
    else:
        for line in lines:
            click.echo("  ".join((line.topic, *_cells(line))).rstrip())
    if bad := [line for line in lines if line.do]:
        stop(f"{len(bad)} of {len(lines)} things are to be corrected; the first: {bad[0].topic}: {bad[0].do}")


async def _on_kafka(settings: KafkaSettings) -> list[Finding]:
    try:
        from bookshelf.log.kafka.topic_check import check  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as fault:
        raise missing_extra("a log on Kafka", fault, "kafka") from None
    return await check(settings, needed())


def _embedded(data: str | None) -> list[Finding]:
    """Return the findings for a data folder: its log makes topics itself, with fixed partitions."""
    log = embedded(data)
    ends = log.ends()
    found: list[Finding] = []
    for topic in needed():
        count = log.partitions(topic.name)
        records = sum(ends.get((topic.name, partition), 0) for partition in range(count))
        found += (
            Finding(
                topic.name, "topic", "there" if records else "nothing written yet", "there when it is written"
            ),
            Finding(topic.name, "partitions", str(count), str(count)),
            Finding(topic.name, "records", str(records), "any"),
        )
    return found


def _cells(line: Finding) -> tuple[str, ...]:
    good = not line.do
    expected = "" if good else f"expected {line.expected}: {line.do}"
    return "good" if good else "WRONG", line.name, plain(line.found), plain(expected)


def _table(lines: Sequence[Finding]) -> Table:
    table = Table("topic", "", "what", "found", "expected", "to do", box=None)
    for line in lines:
        mark = "[green]good[/]" if not line.do else "[red]wrong[/]"
        table.add_row(line.topic, mark, line.name, plain(line.found), line.expected, line.do)
    return table
