"""What a process loads: not what only others need, for each start pays for it."""

import subprocess
import sys

import pytest


def loaded(*modules: str) -> set[str]:
    """Return the names of all modules that a process has after importing some."""
    script = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("part", "others"),
    [
        (
            "bookshelf.cli.instance",
            {
                *("gateway", "joserfc", "limits", "asyncpg", "bookshelf.shelf.library_files"),
                *("bookshelf.shelf.pages", "bookshelf.site"),
            },
        ),
        (
            "bookshelf.cli.run_gateway",
            {"aiokafka", "asyncpg", "bookshelf.log.kafka.log", "bookshelf.runtime.service"},
        ),
        ("bookshelf.cli.embedded", {"aiokafka", "asyncpg", "consul", "bookshelf.shelf.library_files"}),
    ],
)
def test_a_process_imports_only_the_modules_it_needs(part: str, others: set[str]) -> None:
    found = loaded("bookshelf.cli.run", part)
    assert part in found
    assert found & others == set()
