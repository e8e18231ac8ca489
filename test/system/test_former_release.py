"""A data folder of the former release opens, and its books are answered as that release answered them."""

import json
import tarfile
from pathlib import Path

from support.program import Program
from support.until import until

FORMER = Path(__file__).parents[1] / "fixtures/former-release"
ANSWERS = json.loads((FORMER / "answers.json").read_text())


def test_a_data_folder_of_the_former_release_opens_and_reads_the_same(tmp_path: Path) -> None:
    with tarfile.open(FORMER / "data.tar.gz") as archive:
        archive.extractall(tmp_path / "data", filter="data")
    with Program(tmp_path / "data") as program:
        client = program.ready().client
        until(lambda: len(client.get("/books").json) == 4, "the views are rebuilt")
        assert {path: client.get(path).content.decode() for path in ANSWERS} == ANSWERS
        [finished, _, removed, *_] = [path for path in ANSWERS if path.endswith("/history")]
        book = finished.removesuffix("/history")
        assert client.post(f"{book}/finished", {"rating": 4}).status == 204
        assert client.post(f"{removed.removesuffix('/history')}/restored").json["title"] == "罪と罰"
