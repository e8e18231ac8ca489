"""Limits of one listener on what its clients control: times, sizes and numbers of connections."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Limits in seconds, bytes and counts; 0 connections mean no limit.

    `head_s`: for a request's head, from the connection or from its first byte. `idle_s`: between requests.
    `body_idle_s` and `body_rate`: the longest pause within a body, and the bytes per second below which its
    sender is disconnected after `grace_s`; time in which the handler does not read does not count.
    `linger_s`: for the rest of a body that was answered before its end. `unread_s`: a client that reads fewer
    than `unread_rate` bytes per second of a response over that time is disconnected. `spare`: connections
    beyond the limits that may each request health or metrics once, so that a full port answers probes.
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
