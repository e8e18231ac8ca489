"""The gateway sends the newest revision that it has seen: an instance with an older one answers nothing."""

import pytest
from support.upstream_calls import Sending

from bookshelf.http.message import Request, Response


def at_revision(revision: int) -> object:
    """Return an instance that answers from a revision, and refuses requests for a newer one."""

    async def answer(request: Request) -> Response:
        if int(request.headers.get("Bookshelf-Revision", "0")) > revision:
            return Response(503, {"Retry-After": "1"})
        return Response(200, {"Bookshelf-Revision": str(revision)})

    return answer


async def test_after_an_answer_from_a_newer_revision_none_comes_from_an_older_one() -> None:
    sending = Sending()
    sending.add(at_revision(1))
    newer = sending.add(at_revision(2))
    answers = list[int]()
    while len(answers) < 40:
        answer = await sending.ask()
        answers.append(int(answer.headers.get("Bookshelf-Revision", "0")) or answers[-1])
    assert answers == sorted(answers)
    assert answers[-1] == 2
    assert newer.asked


async def test_without_a_domain_no_revision_is_sent() -> None:
    sending = Sending()
    service = sending.add(Response(200, {}))
    await sending.ask()
    await sending.ask()
    assert not any("Bookshelf-Revision" in request.headers for request in service.asked)


@pytest.mark.parametrize("text", ["", "x", "-1", "1" * 12, "²"])
async def test_what_is_no_revision_is_not_learned(text: str) -> None:
    sending = Sending()
    service = sending.add(Response(200, {"Bookshelf-Revision": text}))
    await sending.ask()
    await sending.ask()
    assert not any("Bookshelf-Revision" in request.headers for request in service.asked)


async def test_a_revision_is_forgotten_with_the_last_instance_of_its_service() -> None:
    sending = Sending()
    sending.add(at_revision(7))
    assert await sending.status() == 200
    sending.leave()
    sending.add(at_revision(6))
    assert await sending.status() == 200


async def revisions_seen(sending: Sending) -> set[str]:
    """Return the revisions of many answers; a refusal that is not repeated any more has none."""
    answers = [await sending.ask() for _ in range(40)]
    return {answer.headers["Bookshelf-Revision"] for answer in answers if answer.status == 200}


async def test_each_domain_has_revisions_of_its_own() -> None:
    """Otherwise the domain whose revision is lower would answer nothing more."""
    sending = Sending()
    sending.add(at_revision(5), domain="blue")
    green = sending.add(at_revision(2), domain="green")
    assert await revisions_seen(sending) == {"5", "2"}
    assert {request.headers.get("Bookshelf-Revision", "0") for request in green.asked} == {"0", "2"}


async def test_no_instance_is_asked_that_is_behind_the_log_of_the_domain() -> None:
    """Not even before a client has seen the newer revision: another gateway may have answered with it."""
    sending = Sending()
    revisions = {"": 2, "counters": 3}
    sending.pools.follow("blue", lambda _service, group: revisions[group])
    sending.add(at_revision(1), domain="blue")
    sending.add(at_revision(2), domain="blue")
    sending.add(at_revision(0), domain="green")
    packaged = sending.add(at_revision(3), domain="blue", package="counters")
    assert await revisions_seen(sending) == {"0", "2", "3"}
    assert {request.headers["Bookshelf-Revision"] for request in packaged.asked} == {"3"}
    revisions[""] = 3
    assert await revisions_seen(sending) == {"0", "3"}
