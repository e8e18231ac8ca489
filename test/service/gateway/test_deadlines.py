"""How long is waited, how much is tried again, and what a second instance is for."""

import asyncio

from support.upstream import DEADLINE_S, never
from support.upstream_calls import Sending

from bookshelf.http.client import NoResponse
from bookshelf.http.message import Request, Response
from gateway.upstream.call import CallTimeouts

LOST = NoResponse("cut")
MOVING = Response(503, {"Retry-After": "1"})


def left(request: Request) -> float:
    return float(request.headers["Bookshelf-Time-Left"])


async def test_a_service_receives_the_remaining_time() -> None:
    usual, own = Sending(CallTimeouts(answer_s=7.0)), Sending(CallTimeouts(answer_s=7.0), deadline_s=1.5)
    services = [usual.add(), own.add()]
    await usual.ask()
    await own.ask()
    assert [left(service.asked[0]) for service in services] == [7.0, 1.5]


async def test_each_attempt_receives_the_time_that_earlier_ones_left() -> None:
    sending = Sending(CallTimeouts(answer_s=7.0))
    service = sending.add(MOVING, MOVING, Response(200, {}))
    await sending.ask()
    assert [round(left(request), 3) for request in service.asked] == [7.0, 6.9, 6.7]


async def test_nothing_is_tried_again_when_the_time_would_be_over() -> None:
    sending = Sending(deadline_s=0.25)
    service = sending.add(MOVING)
    assert await sending.status() == 503
    assert len(service.asked) == 2


async def test_one_that_is_silent_leaves_time_for_another() -> None:
    sending = Sending(CallTimeouts(answer_s=60.0, try_s=0.01))
    silent, well = sending.add(never), sending.add()
    async with asyncio.timeout(DEADLINE_S):
        while not silent.asked:
            assert await sending.status() == 200
    assert well.asked


async def test_when_everyone_fails_a_fifth_more_is_asked_and_ten() -> None:
    sending = Sending(CallTimeouts(again_s=(0.0,) * 5), keyed=True)
    moving = sending.add(MOVING)
    for _ in range(500):
        assert await sending.status("POST") == 503
    assert len(moving.asked) == 500 + 100 + 10


async def test_retries_keep_the_key_that_the_first_try_was_given() -> None:
    sending = Sending(keyed=True)
    services = [sending.add(LOST), sending.add(LOST)]
    assert await sending.status("POST") == "gateway-timeout"
    keys = [service.asked[0].headers["Idempotency-Key"] for service in services]
    assert keys[0] == keys[1]
    assert await sending.status("POST") == "gateway-timeout"
    assert services[0].asked[1].headers["Idempotency-Key"] != keys[0]


HEDGED = CallTimeouts(hedge_s=0.01, answer_s=3600, try_s=3600)


async def test_hedging_is_off_unless_it_is_wanted() -> None:
    assert CallTimeouts().hedge_s == 0


async def test_a_query_that_takes_long_is_put_to_a_second_instance() -> None:
    sending = Sending(HEDGED)
    cancelled: list[bool] = []

    async def stuck(_request: Request) -> Response:
        try:
            return await never()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    slow, fast = sending.add(stuck), sending.add()
    async with asyncio.timeout(DEADLINE_S):
        while not slow.asked:
            assert await sending.status() == 200
    assert cancelled == [True]
    assert fast.asked
    assert [one.outstanding for one in sending.pool.endpoints] == [0, 0]


async def test_a_command_is_never_hedged_nor_a_query_that_has_no_second_instance() -> None:
    commands = Sending(CallTimeouts(hedge_s=0.01, answer_s=0.1), keyed=True)
    for _ in range(2):
        commands.add(never)
    await commands.status("POST")
    alone = Sending(CallTimeouts(hedge_s=0.01, answer_s=0.1))
    service = alone.add(never)
    assert await alone.status() == "gateway-timeout"
    assert len(service.asked) == 1


async def test_the_fault_of_one_of_two_is_not_the_answer() -> None:
    sending = Sending(HEDGED)

    async def late_fault(_request: Request) -> Response:
        await asyncio.sleep(0.02)  # sleep: longer than is waited for before the second is asked
        raise NoResponse("cut")

    for _ in range(2):
        sending.add(late_fault, Response(200, {}))
    assert await sending.status() in {200, "gateway-timeout"}
    assert await sending.status() == 200
