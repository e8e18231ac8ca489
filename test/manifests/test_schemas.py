"""`make docs`: asyncapi.json, schemas/ and processes.md follow from the code; the golden log fits them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from support.process import ROOT, bookshelf
from write_docs import render

from bookshelf.services import SERVICES

SCRIPT = ROOT / "packaging" / "write_docs.py"
ASYNCAPI = json.loads((ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8"))
SCHEMAS = {path.stem: json.loads(path.read_text("utf-8")) for path in (ROOT / "docs" / "schemas").iterdir()}
GOLDEN = [
    json.loads(line)
    for file in sorted((ROOT / "test" / "fixtures" / "golden").glob("*.jsonl"))
    for line in file.read_text(encoding="utf-8").splitlines()
    # events that no service writes yet have no schema; of all others `make docs` writes one
    if json.loads(line)["type"] in SCHEMAS
]


def validator(schema: Any) -> Any:  # noqa: ANN401 (JSON in, and jsonschema has no types)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def payload(kind: str) -> Any:  # noqa: ANN401 (as above)
    """Return the validator of a message of docs/asyncapi.json."""
    return validator(
        {**ASYNCAPI["components"]["messages"][kind]["payload"], "components": ASYNCAPI["components"]}
    )


def references(document: Any) -> Iterator[str]:  # noqa: ANN401 (any JSON)
    if isinstance(document, dict):
        yield from ([document["$ref"]] if isinstance(document.get("$ref"), str) else [])
        for part in document.values():
            yield from references(part)
    elif isinstance(document, list):
        for part in document:
            yield from references(part)


def test_the_files_equal_the_output_of_make_docs(tmp_path: Path) -> None:
    subprocess.run([sys.executable, str(SCRIPT), "--into", str(tmp_path)], check=True, timeout=60)
    written = {str(path.relative_to(tmp_path)): path for path in tmp_path.rglob("*.*")}
    different = [name for name, path in written.items() if path.read_bytes() != (ROOT / name).read_bytes()]
    assert different == [], "run `make docs`"
    names = {"docs/asyncapi.json", "docs/processes.md", "docs/schemas/shelf.book-added.v1.json"}
    assert written.keys() >= names


@pytest.mark.parametrize("record", GOLDEN, ids=lambda record: f"{record['type']}-{record['id'][-2:]}")
def test_every_record_of_the_golden_log_fits_its_schema(record: Any) -> None:  # noqa: ANN401 (JSON)
    assert [fault.message for fault in validator(SCHEMAS[record["type"]]).iter_errors(record["data"])] == []
    assert [fault.message for fault in payload(record["type"]).iter_errors(record)] == []


@pytest.mark.parametrize(
    "wrong", [{"title": 1}, {"tags": "classic"}, {"pages": "412"}], ids=lambda wrong: next(iter(wrong))
)
def test_a_record_that_violates_its_schema_is_detected(wrong: dict[str, Any]) -> None:
    record = next(one for one in GOLDEN if one["type"] == "shelf.book-added.v1")
    changed = {**record, "data": {**record["data"], **wrong}}
    assert not validator(SCHEMAS[record["type"]]).is_valid(changed["data"])
    assert not payload(record["type"]).is_valid(changed)
    assert not payload(record["type"]).is_valid({**record, "type": "shelf.book-removed.v1"})


def test_every_reference_of_the_asyncapi_document_resolves() -> None:
    assert ASYNCAPI["asyncapi"] == "3.0.0"
    for reference in set(references(ASYNCAPI)):
        found: Any = ASYNCAPI
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]
        assert found


def test_each_topic_has_its_events_or_its_commands() -> None:
    channels = {one["address"]: set(one["messages"]) for one in ASYNCAPI["channels"].values()}
    for service in SERVICES:
        for part in service.runs:
            assert channels[part.topic] >= {event.TYPE for event in part.catalogue}
        for aggregate in service.aggregates:
            taken = {command.TYPE for command in aggregate.takes}
            assert channels.get(aggregate.commands, set()) == taken
    assert channels[None] == {"bookshelf.command-done.v1", "bookshelf.command-refused.v1"}
    listed = {kind for kinds in channels.values() for kind in kinds}
    assert listed == ASYNCAPI["components"]["messages"].keys()


def test_a_command_may_leave_out_its_time() -> None:
    command = {
        "specversion": "1.0",
        "id": "1",
        "source": "test",
        "type": "shelf.add-book.v1",
        "subject": "dune",
        "time": "2026-03-01T12:00:00Z",
        "data": {"book": {"title": "Dune", "author": "Frank Herbert"}},
    }
    assert [fault.message for fault in payload("shelf.add-book.v1").iter_errors(command)] == []
    assert not payload("shelf.add-book.v1").is_valid({**command, "data": {}})


def test_the_check_accepts_the_committed_schemas() -> None:
    done = bookshelf("schema", "check", "--schemas", ROOT / "docs" / "schemas")
    assert done.well == f"{len(SCHEMAS)} events: no breaking change\n"


def planted(folder: Path) -> Path:
    """Return a folder with schemas of which today's catalogues would be a breaking change."""
    changed = json.loads(json.dumps(SCHEMAS))
    changed["shelf.book-added.v1"]["properties"]["shelfmark"] = {"type": "string"}
    changed["shelf.book-added.v1"]["required"].remove("author")
    changed["shelf.book-finished.v1"]["properties"]["rating"] = {"type": "string"}
    changed["shelf.book-burnt.v1"] = {"type": "object"}
    del changed["shelf.book-changed.v1"]
    for name, schema in changed.items():
        (folder / f"{name}.json").write_text(json.dumps(schema), encoding="utf-8")
    return folder


def test_the_check_refuses_each_breaking_change_in_one_line(tmp_path: Path) -> None:
    done = bookshelf("schema", "check", "--schemas", planted(tmp_path))
    assert (done.code, done.err) == (1, "")
    assert done.out.splitlines() == [
        "shelf.book-added.v1: the field shelfmark was removed",
        "shelf.book-added.v1: the field author is required now",
        "shelf.book-burnt.v1: the event was removed; keep its class, or add an Upcast from it",
        "shelf.book-finished.v1: the field rating changed its type from string to integer or null",
    ]


def test_make_docs_writes_nothing_while_there_is_a_breaking_change(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"the field shelfmark was removed\n(?s:.*)nothing was written"):
        render(planted(tmp_path))
    (tmp_path / "unwritten").mkdir()
    assert "docs/schemas/shelf.book-added.v1.json" in render(tmp_path / "unwritten")


def test_the_check_names_compatible_changes(tmp_path: Path) -> None:
    for name in SCHEMAS.keys() - {"shelf.book-changed.v1"}:
        (tmp_path / f"{name}.json").write_text(json.dumps(SCHEMAS[name]), encoding="utf-8")
    lines = bookshelf("schema", "check", "--schemas", tmp_path).well.splitlines()
    assert lines[0] == "shelf.book-changed.v1: a compatible change; `make docs` writes it"
    assert len(lines) == 2


def test_a_folder_without_schemas_is_named(tmp_path: Path) -> None:
    assert (
        f"no schemas in {tmp_path}: run this in a checkout"
        in bookshelf("schema", "check", "--schemas", tmp_path).complaint
    )


def test_every_event_of_the_schemas_is_documented() -> None:
    page = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z.-]+\.v\d+)` \|", page, re.MULTILINE)) >= SCHEMAS.keys()
