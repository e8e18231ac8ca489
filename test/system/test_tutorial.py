"""docs/tutorial/ is true: its files are written into an empty folder, its commands run and compared."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest
from support.doc_blocks import Block, apply_block, page_blocks
from support.kafka import Broker, free_ports
from support.process import ROOT, Process, environment
from support.until import until

TUTORIAL = ROOT / "docs" / "tutorial"
CHAPTERS = sorted(TUTORIAL.glob("[1-9]-*.md"))
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Reader:
    """A reader of the tutorial: an empty folder, a terminal, and the programs that were started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._gateway, *services = free_ports(3)
        #: The ports that the chapters name, and those that are free here.
        self._ports = dict(zip(("8150", "8151"), map(str, services), strict=True))
        (folder / ".venv").symlink_to(sys.prefix)

    def read(self, chapter: Path, env: Mapping[str, str]) -> None:
        """Run the blocks of a chapter in order; its programs are stopped at its end."""
        with ExitStack() as programs:
            output = ""
            for block in page_blocks(chapter):
                match block.kind:
                    case "console":
                        programs.enter_context(self._start(block, env))
                    case "sh":
                        output = self._run(block, env)
                    case "text":
                        assert output == block.text, (chapter.name, output)
                    case _:
                        apply_block(self._folder, block)

    def _environment(self, env: Mapping[str, str]) -> dict[str, str]:
        paths = {"PYTHONPATH": os.pathsep.join((str(self._folder), str(ROOT)))}
        # a reader's environment has no plugins of pytest
        bare = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        return {**paths, **bare, "BOOKSHELF_SERVICE_PORTS": "auto", **env}

    def _start(self, block: Block, env: Mapping[str, str]) -> Process:
        _, _, program, *args = block.text.split()
        port = self._ports[{"wishes": "8150", "openwishes": "8151"}[args[0]]] if args else str(self._gateway)
        own = {"BOOKSHELF_DATA": str(self._folder / "data"), "BOOKSHELF_PORT": port}
        process = Process(*args, env={**self._environment(env), **own}, program=program)
        until(lambda: "ready at" in process.printed or not process.alive, f"{block.text} is ready")
        assert process.alive, process.ended()
        return process

    def _run(self, block: Block, env: Mapping[str, str]) -> str:
        command = block.text.replace("localhost:8000", f"localhost:{self._gateway}")
        for named, port in self._ports.items():
            command = command.replace(f"localhost:{named}", f"localhost:{port}")
        done = subprocess.run(
            ["sh", "-euc", command],
            cwd=self._folder,
            env=environment(self._environment(env)),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), (block.text, done)
        return _ID.sub("ID", done.stdout)


@pytest.fixture(scope="module", name="reader")
def reader_of_the_tutorial(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    return Reader(tmp_path_factory.mktemp("wishes"))


def test_the_chapters_follow_each_other() -> None:
    contents = (TUTORIAL / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\d-.*?\.md)\)", contents) == [chapter.name for chapter in CHAPTERS]
    for chapter, following in pairwise(CHAPTERS):
        assert chapter.read_text(encoding="utf-8").rstrip().endswith(f"]({following.name}).")


@pytest.mark.needs("curl")
@pytest.mark.parametrize("chapter", CHAPTERS[:-1], ids=lambda path: str(path.stem))
def test_a_chapter_s_blocks_run(reader: Reader, chapter: Path) -> None:
    reader.read(chapter, {})


@pytest.mark.needs("curl", "kafka")
def test_the_last_chapter_runs_on_a_real_broker(reader: Reader, kafka_broker: Broker) -> None:
    env = {"BOOKSHELF_BROKER": kafka_broker.address, "BOOKSHELF_KAFKA_PREFIX": "tutorial-"}
    reader.read(CHAPTERS[-1], env)
