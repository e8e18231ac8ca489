"""What an id, a tag, a value, an address and a port look like, written by us or taken from others.

None can end a header or a log line, or make of a URL another one.
"""

import re
from ipaddress import IPv6Address

_LINE = r"[^\x00-\x1f\x7f\ud800-\udfff]"
#: An id, a service's name, a tag.
NAME = re.compile(_LINE + "{1,255}")
#: A value of metadata, as long as Consul lets it be.
VALUE = re.compile(_LINE + "{0,512}")
_HOST = re.compile(r"[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*\.?")
_LONGEST_HOST = 253
#: Where a port may listen, and no one can be found.
_EVERYWHERE = ("0.0.0.0", "0")  # noqa: S104 (refused here, not listened on)


def is_address(text: str) -> bool:
    """Whether it is a host's name or IP at which someone may be found."""
    if _HOST.fullmatch(text):
        return len(text) <= _LONGEST_HOST and text not in _EVERYWHERE
    try:
        return int(IPv6Address(text)) != 0 and "%" not in text
    except ValueError:
        return False


def is_port(number: int) -> bool:
    """Whether someone may be found at it."""
    return 0 < number < 65536  # noqa: PLR2004 (TCP's own)
