"""What is read from the programs that the bench runs."""

import pytest

from bench.measurement import BenchFault
from bench.programs import read

SAID = """Running 3s test @ http://127.0.0.1:1/
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.62ms    1.10ms  21.43ms   93.33%
  Latency Distribution
     50%  310.00us
     75%    1.80ms
     99%    1.02s
Requests/sec:  40123.45
Transfer/sec:     10.10MB
"""


def test_latencies_of_wrk_are_read_in_milliseconds() -> None:
    assert read(SAID) == {"per_s": 40123.45, "p50_ms": pytest.approx(0.31), "p99_ms": pytest.approx(1020)}


@pytest.mark.parametrize(
    "wrong", ["  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 3, write 0, timeout 0\n"]
)
def test_a_load_with_a_wrong_response_has_no_result(wrong: str) -> None:
    with pytest.raises(BenchFault, match=wrong.split(":", maxsplit=1)[0].strip()):
        read(SAID + wrong)


def test_a_load_without_a_rate_has_no_result() -> None:
    with pytest.raises(BenchFault, match="unable"):
        read("unable to connect")
