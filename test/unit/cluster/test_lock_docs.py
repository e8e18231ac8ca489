"""The examples of docs/cluster.md on fencing: each accepts the present holder, and refuses a former one."""

import fcntl
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support.process import ROOT

PAGE = (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## Locks\n")[2].partition("\n## ")[0]
CREATE, UPDATE = re.findall(r"```sql\n(.*?)```", SECTION, re.DOTALL)
BLOCKS = re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)
[PYTHON] = [block for block in BLOCKS if "write_fenced" in block]


def test_a_table_refuses_a_former_holder() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(CREATE)
        db.execute("INSERT INTO report VALUES (1, 'new', 3)")
        changed = [
            db.execute(UPDATE, {"id": 1, "body": f"of {token}", "token": token}).rowcount
            for token in (3, 9, 9, 8, 3, 10)
        ]
        assert changed == [1, 1, 1, 0, 0, 1]
        assert db.execute("SELECT body FROM report").fetchall() == [("of 10",)]


def test_a_file_refuses_a_former_holder(tmp_path: Path) -> None:
    names: dict[str, Any] = {"fcntl": fcntl, "Path": Path}
    exec(compile(PYTHON, "docs/cluster.md", "exec"), names)  # noqa: S102 (our own page)
    write = names["write_fenced"]
    for token in (0, 9, 9):
        write(tmp_path, b"of %d" % token, token)
    for token in (8, 0):
        with pytest.raises(PermissionError, match="another process"):
            write(tmp_path, b"late", token)
    assert (tmp_path / "report").read_bytes() == b"of 9"
    write(tmp_path, b"of 10", 10)
    assert (tmp_path / "report").read_bytes() == b"of 10"
