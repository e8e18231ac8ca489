"""Metrics of several processes at one port have a label of the process."""

from gateway.endpoints import labelled

PAGE = b"""# HELP a_total What {it} counts
# TYPE a_total counter
a_total 3.0
b{c="d}{ e",f="1"} +Inf
"""


def test_each_sample_gets_the_process_label_and_is_otherwise_unchanged() -> None:
    assert (
        labelled(PAGE, 2)
        == b"""# HELP a_total What {it} counts
# TYPE a_total counter
a_total{process="2"} 3.0
b{process="2",c="d}{ e",f="1"} +Inf
"""
    )
