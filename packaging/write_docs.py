"""Writes docs/asyncapi.json, docs/schemas/ and docs/processes.md from the code: `make docs`.

It writes nothing if an event would change in a way that breaks readers. An event that no release has written
yet may change: remove its file in docs/schemas/ first.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from write_manifests import ROOT, write_files

from bookshelf.runtime.process.document import processes_page
from bookshelf.runtime.schemas import asyncapi_document, compare_schemas
from bookshelf.services import SERVICES


def render(folder: Path = ROOT / "docs" / "schemas") -> dict[str, str]:
    """Return the text of each file by its path; `folder` has the committed schemas.

    Raises SystemExit with a line for each breaking change.
    """
    schemas, _, breaking = compare_schemas(SERVICES, folder)
    if breaking:
        raise SystemExit(
            "\n".join([*breaking, "nothing was written; docs/events.md says how an event may change"])
        )
    files = {f"docs/schemas/{name}.json": _text(schema) for name, schema in schemas.items()}
    files["docs/asyncapi.json"] = _text(asyncapi_document(SERVICES))
    return {**files, "docs/processes.md": processes_page(SERVICES)}


def _text(document: Any) -> str:  # noqa: ANN401 (any JSON)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every file whose text is not as it should be, and name it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--into", type=Path, default=ROOT, help="another folder to write to")
    write_files(render(), parser.parse_args().into)


if __name__ == "__main__":
    main()
