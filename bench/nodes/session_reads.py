"""Measures when a value that was set on one node is seen on another."""

from pathlib import Path

import msgspec

from bench.connection import LoadConnection, connect
from bench.figures import latencies
from bench.measurement import BenchFault
from bench.nodes.fleet import now, open_fleet
from bench.nodes.sample_service import SampleSetting
from bench.wire import get
from bench.wire import post as request_with_body

_SESSION, _POSITION = "Bookshelf-Client-Session", "Bookshelf-Position"
_WARM_UP, _MOST = 20, 10_000


async def measure_session_reads(
    broker: str, consul: str, folder: Path, rounds: int
) -> dict[str, dict[str, float]]:
    """Set a value on node 1 so often: read it on node 2 without waiting until it is there, then by position.

    `stale`: reads with the position of the write that did not have the value.
    """
    async with open_fleet(broker, consul, folder / "sessions") as fleet:
        await fleet.instance("sessions", "sessions")
        nodes = [await fleet.instance("stateful-sample", f"node{number}") for number in (1, 2)]
        async with connect(nodes[0].port) as first, connect(nodes[1].port) as second:
            session, _ = await _set(first, "", 0)
            delays_s: list[float] = []
            for value in range(1, _WARM_UP + rounds):
                await _set(first, session, value)
                delays_s.append(await _until_seen(second, session, value))
            stale, waited_s = 0, list[float]()
            for value in range(_WARM_UP + rounds, _WARM_UP + 2 * rounds):
                _, position = await _set(first, session, value)
                began = now()
                after = {_SESSION: session, "Bookshelf-After": position}
                stale += await _get(second, "/sample/value", after) != value
                waited_s.append(now() - began)
    return {
        "session, without waiting": latencies(delays_s[_WARM_UP - 1 :]),
        "session, by position": {**latencies(waited_s), "stale": float(stale)},
    }


async def _set(node: LoadConnection, session: str, value: int) -> tuple[str, str]:
    """Return the session and the position of the write. Raises `BenchFault`."""
    headers = {_SESSION: session} if session else {}
    request = request_with_body("/sample/value", {"value": value}, **headers)
    answer = await node.ask(b"PUT" + request.removeprefix(b"POST"), None)
    position = answer.header(_POSITION)
    if position is None:
        raise BenchFault(f"a value was not set: {answer.status} {answer.body[:300].decode()}")
    return session or answer.header(_SESSION) or "", position


async def _get(node: LoadConnection, target: str, headers: dict[str, str]) -> int:
    answer = await node.ask(get(target, **headers))
    return msgspec.json.decode(answer.body, type=SampleSetting).value


async def _until_seen(node: LoadConnection, session: str, value: int) -> float:
    began = now()
    for _ in range(_MOST):
        if await _get(node, "/sample/local", {_SESSION: session}) == value:
            return now() - began
    raise BenchFault(f"node 2 does not have what was set on node 1 after {now() - began:.0f} s")
