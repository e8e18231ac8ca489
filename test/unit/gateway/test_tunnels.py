"""Notices in a WebSocket: pings between the frames of the service, wherever its bytes are cut."""

from itertools import pairwise

from hypothesis import given as for_all
from hypothesis import strategies as st

from gateway.tunnels import Tunnel, ping

_TEXT, _CLOSE = 0x81, 0x88


def frame(payload: bytes, first: int = _TEXT, mask: bytes = b"") -> bytes:
    """Return a frame with this payload, masked if there is a mask."""
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        length = bytes((bit | len(payload),))
    elif len(payload) < 1 << 16:
        length = bytes((bit | 126,)) + len(payload).to_bytes(2)
    else:
        length = bytes((bit | 127,)) + len(payload).to_bytes(8)
    return bytes((first,)) + length + mask + payload


_frames = st.lists(
    st.builds(
        frame,
        st.one_of(st.binary(max_size=8), st.sampled_from([b"x" * 125, b"x" * 126, b"y" * 70_000])),
        st.sampled_from([_TEXT, 0x02, 0x00, 0x8A]),
        st.sampled_from([b"", b"mask"]),
    ),
    max_size=5,
)


@for_all(
    frames=_frames, cuts=st.lists(st.integers(0, 70_100), max_size=6), notified=st.sets(st.integers(0, 6))
)
def test_notices_are_between_frames_and_nothing_else_is_changed(
    frames: list[bytes], cuts: list[int], notified: set[int]
) -> None:
    sent = b"".join(frames)
    tunnel, got = Tunnel(), b""
    for number, (begin, end) in enumerate(pairwise([0, *sorted(cuts), len(sent) + 70_100])):
        if number in notified:
            tunnel.notify(f"notice {number}")
            got += tunnel.add_to(b"")
        got += tunnel.add_to(sent[begin:end])
    notices = [ping(f"notice {number}") for number in sorted(notified) if number <= len(cuts)]
    ours, theirs = list(notices), list(frames)
    while ours or theirs:  # each frame is the next one of either
        mine = theirs if theirs and got.startswith(theirs[0]) else ours
        assert mine
        assert got.startswith(mine[0])
        got = got.removeprefix(mine.pop(0))
    assert got == b""


def test_nothing_follows_the_frame_that_closes() -> None:
    tunnel, closing = Tunnel(), frame(b"", _CLOSE)
    assert tunnel.add_to(closing) == closing
    tunnel.notify("resumed")
    assert tunnel.add_to(b"") == b""


def test_a_long_notice_is_cut_to_what_a_ping_may_have() -> None:
    assert len(ping("x" * 200)) == 2 + 125
