"""Which of several processes at one port an answer is from: in /metrics, each sample says so."""

import re

_SAMPLE = re.compile(rb"^([A-Za-z_:][A-Za-z0-9_:]*)(\{)?", re.MULTILINE)


def labelled(page: bytes, process: int) -> bytes:
    """Return a page of metrics with one label more: series of different processes are different ones."""
    label = b'process="%d"' % process
    return _SAMPLE.sub(lambda found: found[1] + b"{" + label + (b"," if found[2] else b"}"), page)
