"""Commands in a pipeline: standard input and output by `-`, and a reader that closes its end."""

import os
import subprocess
from pathlib import Path

import pytest
from support.process import COMMAND, bookshelf, environment
from support.program import Program


def piped(*args: str | Path, content: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with this on its standard input."""
    command = [*COMMAND, *map(str, args)]
    return subprocess.run(
        command, input=content, capture_output=True, text=True, env=environment(), timeout=120, check=False
    )


def unread(*args: str | Path) -> tuple[int, str]:
    """Run a command whose standard output is closed from the start; return its code and standard error."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*COMMAND, *map(str, args)],
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            timeout=120,
            check=False,
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr


def test_import_reads_standard_input_and_export_writes_standard_output(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = piped("import", "-", "--data", data, content="title,author\nEmma,Jane Austen\n")
    assert done.returncode == 0, done
    assert "1 added" in done.stdout
    assert done.stderr.startswith(f"Importing to the shelf at {data}.\n")
    out = piped("export", "-", "--data", data)
    assert "Emma" in out.stdout
    written, left_out = out.stderr.splitlines()
    assert written == f"1 books of the shelf at {data} written to standard output."
    assert left_out.startswith("CSV leaves out ")
    again = piped("import", "-", "--json", "--data", data, content=out.stdout)
    assert '"unchanged":1' in again.stdout


def test_refused_lines_of_standard_input_are_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = piped("import", "-", "--data", tmp_path / "data", content="title,author\nEmma,x\n,y\n")
    assert "stdin.refused.csv" in done.stdout
    assert (tmp_path / "stdin.refused.csv").exists()


def test_import_names_a_running_shelf_by_its_address(running: Program, tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("title,author\nPipes,x\n")
    done = bookshelf("import", tmp_path / "one.csv", "--data", running.data)
    assert done.well
    assert done.err == f"Importing to the shelf at {running.note.url}.\n"


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "--version",
        "import --help",
        "export -",
        "events tail --from start",
        "events tail --from start --no-follow",
        "events show bookshelf/0@0",
        "topics check",
        "dlq list",
        "views rebuild booklist",
        "backup {folder}",
        "health --port {port}",
    ],
)
def test_a_closed_output_is_no_error(running: Program, tmp_path: Path, line: str) -> None:
    running.client.add("Kim")
    words = line.format(folder=tmp_path, port=running.client.port).split()
    if "--help" not in words and words[0] not in {"--version", "health"}:
        words += ["--data", str(running.data)]
    assert unread(*words) == (0, "")


def test_another_fault_keeps_its_exit_code_with_a_closed_output(tmp_path: Path) -> None:
    code, err = unread("dlq", "list", "--data", tmp_path / "typo")
    assert code == 2
    assert "there is no shelf" in err
