"""Valid ids, tags, metadata values, addresses and ports, for our own registrations and those of others.

A valid text cannot end a header or a log line, and a valid address cannot change the rest of a URL.
"""

import re
from ipaddress import IPv6Address

_LINE = r"[^\x00-\x1f\x7f\ud800-\udfff]"
#: An id, a service's name, a tag.
NAME = re.compile(_LINE + "{1,255}")
#: A value of metadata, up to Consul's limit.
VALUE = re.compile(_LINE + "{0,512}")
_HOST = re.compile(r"[0-9A-Za-z_-]{1,63}(\.[0-9A-Za-z_-]{1,63})*\.?")
_LONGEST_HOST = 253
#: Addresses that a server can listen on and that a client cannot connect to.
_EVERYWHERE = ("0.0.0.0", "0")  # noqa: S104 (refused here, not listened on)


def is_address(text: str) -> bool:
    """Return True for a host name or an IP address that a client can connect to."""
    if _HOST.fullmatch(text):
        return len(text) <= _LONGEST_HOST and text not in _EVERYWHERE
    try:
        return int(IPv6Address(text)) != 0 and "%" not in text
    except ValueError:
        return False


def is_port(number: int) -> bool:
    """Return True for a TCP port that a client can connect to."""
    return 0 < number < 65536  # noqa: PLR2004 (TCP's own)
