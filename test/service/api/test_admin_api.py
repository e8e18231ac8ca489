"""The operator's port: what cannot be read is explained, as on every port."""

import pytest
from support.shelf import Answered, Shelf

from bookshelf.http.message import request
from bookshelf.runtime.admin import AdminApi
from bookshelf.runtime.service_operations import ServiceOperations


async def retried(shelf: Shelf, body: bytes) -> Answered:
    """Return the answer to a request that applies dead letters again."""
    control = AdminApi("key", ServiceOperations(list(shelf.hosts.values()), shelf.infrastructure))
    return Answered(await control.handle(request("POST", "/letters/retry", body, Authorization="Bearer key")))


async def test_an_operator_command_is_carried_out(shelf: Shelf) -> None:
    answer = await retried(shelf, b'{"view":"booklist"}')
    assert (answer.status, answer.json) == (200, {"applied": 0})


async def test_the_dead_letters_of_an_unknown_process_are_not_found(shelf: Shelf) -> None:
    answer = await retried(shelf, b'{"process":"selling"}')
    assert (answer.status, answer.json["detail"]) == (404, "there is no process selling; there are none")


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"[", 400), (b'{"view":' + b"[" * 9999, 400), (b'{"view":1}', 422), (b'{"veiw":""}', 422)],
)
async def test_an_invalid_operator_command_is_explained(shelf: Shelf, body: bytes, status: int) -> None:
    assert (await retried(shelf, body)).status == status
