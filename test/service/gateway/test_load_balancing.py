"""Which instance is asked while some are busy, broken or slow; with instances that really answer."""

import asyncio
from collections import Counter

from support.upstream import eventually, never
from support.upstream_calls import Sending

from bookshelf.http.client import Unreachable
from bookshelf.http.message import Request, Response
from bookshelf.runtime.api.ownership import created, partition

GONE = Unreachable("refused")
BROKEN = Response(500, {})


async def test_an_open_breaker_keeps_requests_from_a_broken_instance() -> None:
    sending = Sending()
    broken, well = sending.add(GONE), sending.add()
    assert [await sending.status() for _ in range(200)] == [200] * 200
    assert (len(broken.asked), len(well.asked)) == (5, 200)


async def test_exactly_one_request_goes_to_a_half_open_instance() -> None:
    sending, released = Sending(), asyncio.Event()

    async def when_released(_request: Request) -> Response:
        await released.wait()
        return Response(200, {})

    service = sending.add(*[GONE] * 5, when_released)
    for _ in range(5):
        assert await sending.status() == "bad-gateway"
    assert await sending.status() == "unavailable"
    assert len(service.asked) == 5
    sending.now += 1.0
    asked = [asyncio.create_task(sending.status()) for _ in range(20)]
    await eventually(lambda: sum(task.done() for task in asked) == 19)
    assert len(service.asked) == 6
    released.set()
    assert Counter(await asyncio.gather(*asked)) == {200: 1, "unavailable": 19}
    assert await sending.status() == 200


async def test_a_cancelled_trial_is_followed_by_another() -> None:
    sending = Sending()
    service = sending.add(*[GONE] * 5, never, Response(200, {}))
    for _ in range(5):
        await sending.status()
    sending.now += 1.0
    trial = asyncio.create_task(sending.status())
    await eventually(lambda: len(service.asked) == 6)
    trial.cancel()
    await asyncio.wait([trial])
    assert await sending.status() == 200


async def test_when_all_instances_are_ejected_all_are_called() -> None:
    sending = Sending()
    services = [sending.add(*[BROKEN] * 5, BROKEN) for _ in range(2)]
    for _ in range(20):
        assert await sending.status() == 500
    assert not any(one.ejection.closed for one in sending.pool.endpoints)
    before = [len(service.asked) for service in services]
    for _ in range(40):
        assert await sending.status() == 500
    assert all(len(service.asked) > count for service, count in zip(services, before, strict=True))


async def test_an_ejected_instance_is_readmitted_by_one_good_response() -> None:
    sending = Sending()
    sick, well = sending.add(*[BROKEN] * 5, Response(200, {})), sending.add()
    while sending.pool.endpoints[0].ejection.closed:
        await sending.status()
    count = len(sick.asked)
    assert [await sending.status() for _ in range(50)] == [200] * 50
    assert len(sick.asked) == count
    sending.now += 1.0
    for _ in range(50):
        assert await sending.status() == 200
    assert len(sick.asked) > count + 1
    assert well.asked


async def test_a_busy_instance_gets_fewer_requests() -> None:
    sending = Sending()
    busy, idle = sending.add(never), sending.add()
    waiting = []
    while not busy.asked:
        waiting.append(asyncio.create_task(sending.status()))
        await asyncio.sleep(0)  # sleep: the task has its turn
    before = len(busy.asked)
    assert [await sending.status() for _ in range(50)] == [200] * 50
    assert len(busy.asked) == before
    assert len(idle.asked) >= 50
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def test_the_owner_of_a_partition_is_called_first_and_another_if_it_is_gone() -> None:
    sending = Sending(aggregate="book")
    services = [sending.add(**{"owns-book": owned, "partitions-book": "4"}) for owned in ("0,1", "2,3")]
    for number in range(40):
        subject = f"id-{number}"
        owner = services[partition(subject, 4) // 2]
        before = len(owner.asked)
        await sending.ask(path={"id": subject})
        assert len(owner.asked) == before + 1
    services[0].answers = [GONE]
    for number in range(40):
        assert (await sending.ask(path={"id": f"id-{number}"})).status == 200


async def test_a_creating_command_is_sent_to_the_owner_of_the_new_id() -> None:
    sending = Sending(aggregate="book", creates=True, keyed=True)
    services = [sending.add(**{"owns-book": owned, "partitions-book": "4"}) for owned in "0123"]
    for _ in range(40):
        assert (await sending.ask("POST")).status == 200
    for number, service in enumerate(services):
        keys = [request.headers["Idempotency-Key"] for request in service.asked]
        assert keys
        assert {partition(created(key), 4) for key in keys} == {number}
