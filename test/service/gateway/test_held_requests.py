"""Requests for a service that is away for a moment: they are held, and answered once it is back."""

import pytest
from support.upstream import Service
from support.upstream_calls import Sending

from bookshelf.http.client import NoResponse, Unreachable
from bookshelf.http.message import Request, Response, request
from bookshelf.runtime.api.ownership import owns
from gateway.bodies import Upload
from gateway.upstream.call import CallTimeouts

GONE = Unreachable("refused")
LOST = NoResponse("cut")
DONE = Response(200, {}, b"done")
MOVING = Response(503, {"Retry-After": "1"})
OWNS, NONE = (owns("book", frozenset(partitions), 4) for partitions in (range(4), ()))
METHODS = pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])


def away_for(sending: Sending, seconds: float) -> Service:
    """Add an instance that answers once, and then accepts no connection for so long."""
    back = sending.now + seconds

    async def answer(_request: Request) -> Response:
        if service.asked[1:] and sending.now < back:
            raise GONE
        return DONE

    service = sending.add(answer)
    return service


async def held_for(sending: Sending, method: str = "GET") -> tuple[int | str, float]:
    """Return what a request is answered with, and after how many seconds."""
    began = sending.now
    return await sending.status(method), sending.now - began


@METHODS
async def test_a_request_waits_until_the_only_instance_is_back(method: str) -> None:
    sending = Sending()
    away_for(sending, 12.0)
    assert await sending.status() == 200
    status, seconds = await held_for(sending, method)
    assert status == 200
    assert 12.0 <= seconds < 20.0


async def test_a_request_waits_for_a_new_instance() -> None:
    sending = Sending()
    away_for(sending, 3600.0)
    assert await sending.status() == 200
    sending.after(5.0, sending.add)
    assert await held_for(sending) == (200, 5.0)


async def test_a_request_waits_while_no_instance_is_ready() -> None:
    sending = Sending()
    sending.add()
    assert await sending.status() == 200
    sending.leave()
    sending.after(5.0, sending.add)
    assert await held_for(sending) == (200, 5.0)


async def test_a_service_that_stays_away_is_unavailable_at_once_from_then_on() -> None:
    sending = Sending(CallTimeouts(away_s=5.0))
    sending.add()
    assert await sending.status() == 200
    sending.leave()
    assert [await held_for(sending) for _ in range(2)] == [("unavailable", 5.0), ("unavailable", 0.0)]
    sending.add()
    assert await sending.status() == 200
    sending.leave()
    assert await held_for(sending) == ("unavailable", 5.0)
    waits = sending.pool.absence.waits
    assert (waits.now, waits.requests, waits.seconds, waits.refused) == (0, 2, 10.0, 3)


async def test_requests_that_were_held_are_counted_once_with_their_seconds() -> None:
    sending = Sending()
    away_for(sending, 12.0)
    assert await sending.status() == 200
    _, seconds = await held_for(sending)
    waits = sending.pool.absence.waits
    assert (waits.now, waits.requests, waits.seconds, waits.refused) == (0, 1, seconds, 0)


async def test_a_service_that_has_never_answered_is_not_waited_for() -> None:
    sending = Sending()
    sending.add(GONE)
    assert await held_for(sending) == ("bad-gateway", 0.0)
    assert sending.pool.absence.waits.refused == 0


async def test_no_request_is_held_past_its_deadline() -> None:
    sending = Sending(CallTimeouts(answer_s=3.0))
    away_for(sending, 3600.0)
    assert await sending.status() == 200
    assert await held_for(sending) == ("unavailable", 3.0)


async def test_requests_that_are_held_are_bounded_in_number() -> None:
    sending = Sending()
    sending.add()
    assert await sending.status() == 200
    sending.leave()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gateway.upstream.waits._HELD", 1)
        with sending.pool.absence.hold(lambda: sending.now, first=True):
            assert await held_for(sending) == ("unavailable", 0.0)


async def test_a_command_whose_connection_was_cut_is_repeated_once_the_instance_is_back() -> None:
    sending = Sending(keyed=True)
    back = sending.now + 7.0

    async def cut(_request: Request) -> Response:
        if len(service.asked) == 2:
            raise LOST
        if service.asked[1:] and sending.now < back:
            raise GONE
        return DONE

    service = sending.add(cut)
    assert await sending.status("POST") == 200
    assert await sending.status("POST") == 200
    assert len({sent.headers["Idempotency-Key"] for sent in service.asked[1:]}) == 1


async def test_an_instance_that_ends_may_accept_a_connection_that_it_never_reads() -> None:
    """The connections of a killed process are closed one after the other, and its listener among them."""
    sending = Sending(keyed=True)
    killed = sending.now + 100.0

    async def ending(_request: Request) -> Response:
        if killed <= sending.now < killed + 0.2:
            raise LOST
        if killed <= sending.now < killed + 7.0:
            raise GONE
        return DONE

    sending.add(ending)
    assert await sending.status("POST") == 200
    sending.now = killed
    assert await sending.status("POST") == 200


async def test_streams_are_not_held() -> None:
    sending = Sending()
    sending.add()
    assert await sending.status() == 200
    sending.leave()
    events = request("GET", "/x", Accept="text/event-stream")
    upload = request("POST", "/x")
    upload.body = Upload(upload.body)
    for sent in (events, upload):
        began = sending.now
        assert await sending.status_of(sent) == "unavailable"
        assert sending.now == began


async def test_a_command_that_a_service_held_in_vain_is_sent_again() -> None:
    """The service waits for an owner longer than a 503 is repeated from the beginning of the request."""
    sending = Sending(keyed=True)

    async def moving(_request: Request) -> Response:
        sending.now += 8.0
        return MOVING if len(service.asked) == 1 else DONE

    service = sending.add(moving)
    assert await sending.status("POST") == 200


async def test_a_query_that_has_waited_for_its_view_is_not_sent_again() -> None:
    sending = Sending()

    async def behind(_request: Request) -> Response:
        sending.now += 2.0
        return MOVING

    service = sending.add(behind)
    assert await sending.status() == 503
    assert len(service.asked) == 1


async def test_after_a_pause_the_new_owner_is_asked_first() -> None:
    sending = Sending(aggregate="book", keyed=True)
    former, later = sending.add(MOVING, **OWNS), sending.add(**NONE)
    sending.after(0.05, lambda: sending.publish(NONE, OWNS))
    response = await sending.ask("PUT", {"id": "b-1"})
    assert response.status == 200
    assert (len(former.asked), len(later.asked)) == (1, 1)
