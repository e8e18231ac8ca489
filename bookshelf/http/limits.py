"""What a port puts up with. Every limit is on something that the other side controls."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Seconds, bytes and counts; 0 connections mean: as many as come.

    `head_s`: for a request's head, from the connection or from its first byte. `idle_s`: between requests.
    `body_idle_s` and `body_rate`: the longest silence in the middle of a body, and the bytes per second below
    which its sender is cut off (waiting for the reader does not count), after `grace_s`.
    `linger_s`: for the rest of a body that was answered before its end. `unread_s`: for
    `unread_rate` times as many bytes of an answer to be taken. `spare`: connections beyond the limits that
    may ask once each for health or metrics, so that probes get an answer when a port is full.
    """

    head_s: float = 10.0
    idle_s: float = 75.0
    body_idle_s: float = 10.0
    body_rate: int = 500
    grace_s: float = 5.0
    linger_s: float = 5.0
    unread_s: float = 30.0
    unread_rate: int = 500
    connections: int = 0
    connections_each: int = 0
    spare: int = 0
    line: int = 8190
    field: int = 8190
    head: int = 64 << 10
    fields: int = 128
