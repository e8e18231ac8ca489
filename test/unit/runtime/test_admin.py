"""The admin API of a process without services, such as a gateway."""

from collections.abc import Iterator

import msgspec
import pytest
import structlog

from bookshelf.http.message import Response, request
from bookshelf.runtime.admin import AdminApi


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    yield
    structlog.reset_defaults()


async def sent(method: str, target: str, content: bytes, token: str = "key") -> Response:  # noqa: S107 (no secret)
    return await AdminApi("key").handle(request(method, target, content, Authorization=f"Bearer {token}"))


async def test_the_log_level_is_set() -> None:
    answer = await sent("PUT", "/log-level", b'{"level":"error"}')
    assert (answer.status, answer.body) == (200, b'{"level":"error"}')
    assert not structlog.get_logger().is_enabled_for(30)


@pytest.mark.parametrize(
    ("content", "status"), [(b"", 400), (b'{"level":"loud"}', 422), (b"{}", 422), (b"1" * (1 << 17), 413)]
)
async def test_a_body_that_is_not_a_level_is_refused(content: bytes, status: int) -> None:
    assert (await sent("PUT", "/log-level", content)).status == status


async def test_a_request_without_the_token_is_refused() -> None:
    assert (await sent("PUT", "/log-level", b'{"level":"error"}', "another")).status == 403


@pytest.mark.parametrize(("method", "target"), [("GET", "/letters"), ("GET", "/log-level")])
async def test_a_process_without_services_has_no_other_operations(method: str, target: str) -> None:
    answer = await sent(method, target, b"")
    assert isinstance(answer.body, bytes)
    detail = msgspec.json.decode(answer.body)["detail"]
    assert (answer.status, detail) == (404, "this process has no services; only its log level can be set")
