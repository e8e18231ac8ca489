"""Long values, changed often: memory is bounded in bytes, and a start after kill -9 needs no more."""

from pathlib import Path

import pytest
from chaos.expected_state import ExpectedState, check_views
from chaos.hot_key import Findings, findings
from support.hot_load import Habits, HotLoad
from support.kafka_proxy import BackgroundLoop
from support.memory import peak_mb
from support.program import Program

pytestmark = [pytest.mark.chaos, pytest.mark.slow]
BOOKS = 40
CHANGES = 66
#: Each of them takes 4 bytes, in memory too.
CHARACTERS = 10_000
HABITS = Habits(characters=CHARACTERS, pause_s=0.0)
#: Megabytes that a whole embedded shelf may take at its peak.
LIMIT_MB = 300.0


def test_books_with_long_notes_fit_into_memory_before_and_after_a_kill(
    tmp_path: Path, background_loop: BackgroundLoop
) -> None:
    data = tmp_path / "data"
    with Program(data).ready() as up:
        books = [up.client.add(f"heavy {number}")["id"] for number in range(BOOKS)]
        heavy = HotLoad(background_loop, up.client, books, "heavy", BOOKS, HABITS)
        with heavy as load:
            load.goes_on(BOOKS * CHANGES)
        assert peak_mb(up.pid) < LIMIT_MB
        up.kill()
    assert findings(ExpectedState(data), load) == Findings(0, 0, 0, 0, 0)
    with Program(data).ready() as up:
        check_views(up.client, ExpectedState(data))
        for book in books:
            assert up.client.patch(f"/books/{book}", {"pages": 7}).status == 200
        assert peak_mb(up.pid) < LIMIT_MB
        assert up.stop().well
