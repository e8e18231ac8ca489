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
def test_what_is_no_revision_is_not_learned(text: str) -> None:
    sending = Sending()
    sending.add(Response(200, {}))
    sending.pool.learn_revision(text)
    assert sending.pool.revision == 0


def test_a_pool_without_instances_forgets_the_revision() -> None:
    sending = Sending()
    sending.add(Response(200, {}))
    pool = sending.pool
    pool.learn_revision("7")
    pool.learn_revision("6")
    assert pool.revision == 7
    pool.update(())
    assert pool.revision == 0
