"""One DNS question over UDP, as RFC 1035 has it: enough for an SRV record (RFC 2782) of a real Consul."""

import struct
from socket import AF_INET, SOCK_DGRAM, socket
from typing import NamedTuple

_SRV, _IN, _RECURSE = 33, 1, 0x0100
_POINTER = 0xC0


class Srv(NamedTuple):
    """Where a service is."""

    port: int
    target: str


def srv(host: str, port: int, name: str) -> list[Srv]:
    """Ask for the SRV records of a name. Raises OSError if no answer comes."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    question = labels + b"\0" + struct.pack("!HH", _SRV, _IN)
    with socket(AF_INET, SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.sendto(struct.pack("!6H", 1, _RECURSE, 1, 0, 0, 0) + question, (host, port))
        packet = asking.recv(4096)
    (answers,) = struct.unpack_from("!H", packet, 6)
    return list(_records(packet, 12 + len(question), answers))


def _records(packet: bytes, at: int, count: int) -> list[Srv]:
    found = []
    for _ in range(count):
        at = _name(packet, at)[1]
        kind, _, _, length = struct.unpack_from("!HHIH", packet, at)
        at += 10
        if kind == _SRV:
            (port,) = struct.unpack_from("!H", packet, at + 4)
            found.append(Srv(port, _name(packet, at + 6)[0]))
        at += length
    return found


def _name(packet: bytes, at: int) -> tuple[str, int]:
    labels: list[str] = []
    while length := packet[at]:
        if length >= _POINTER:
            pointed = struct.unpack_from("!H", packet, at)[0] & 0x3FFF
            return ".".join([*labels, _name(packet, pointed)[0]]), at + 2
        labels.append(packet[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels), at + 1
