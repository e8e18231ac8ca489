"""`python -m bench timelines` prints figures; none has a limit here."""

import pytest
from system.test_bench import LATENCIES, report, shape


@pytest.mark.slow
def test_pages_of_photos_are_measured_beside_their_statements() -> None:
    found = report("timelines")["results"]["timelines"]
    memory = {"rss_mib", "peak_mib"}
    sorts = ("fresh", "hot", "trending")
    served = {
        "rebuilt": {"events_per_s", *memory},
        "queried": memory,
        "HTTP": LATENCIES,
        **{sort: {*LATENCIES, "processor_ms"} for sort in sorts},
    }
    shown = shape(found)
    on_mariadb = {f"30, {name}, MariaDB": figures for name, figures in served.items()}
    assert {name: shown.pop(name) for name in on_mariadb if name in shown} in (on_mariadb, {})
    assert shown == {
        "30, rebuilt": {"events_per_s", *memory},
        "30, queried": memory,
        "30, HTTP": LATENCIES,
        **{f"30, {sort}": {*LATENCIES, "processor_ms", "share"} for sort in sorts},
        **{f"30, {sort}, bare": LATENCIES for sort in sorts},
        "30, sum": {"p50_ms", "times"},
    }
