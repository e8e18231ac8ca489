"""Two services that claim the same name, port or path are refused before anything starts."""

import re
from dataclasses import replace
from typing import Any

import pytest
from support.stall import SELLING, STOCK

from bookshelf.cli.instance import topics
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.service import Service, ServiceConflict, check_services
from bookshelf.cqrs.view import View
from bookshelf.http.message import Request, Response
from bookshelf.runtime.schemas import asyncapi_document
from bookshelf.services import SERVICES
from bookshelf.shelf import book, book_list

GATEWAY = {"gateway": 8000}
BY_NAME = {service.name: service for service in SERVICES}


def another(**fields: Any) -> Service:  # noqa: ANN401 (a service's fields)
    """Return a service beside those of the project."""
    made = Service(name="another", summary="Another", tags=("a",), port=8999, runs=(), serves=())
    return replace(made, **fields)


def renamed_view(name: str) -> View:
    """Return a view under the name of something else: consumer groups and folders are named for it."""
    return replace(BY_NAME["booklist"].views[0], name=name)


def test_the_services_of_the_project_agree() -> None:
    check_services([*(service.loaded() for service in SERVICES), another()], GATEWAY)


@pytest.mark.parametrize("tags", [("books", "list"), ("books",), ("list", "books", "more")])
def test_a_service_is_not_found_by_the_tags_of_another(tags: tuple[str, ...]) -> None:
    with pytest.raises(ServiceConflict, match=r"has all tags of .*, by which that is found: .*; change one"):
        check_services([*SERVICES, another(tags=tags)], GATEWAY)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"name": "newbook"}, "two services are called newbook"),
        ({"name": "gateway"}, "two services are called gateway"),
        ({"port": 8081}, "newbook and another both claim the port 8081"),
        ({"port": 8000}, "gateway and another both claim the port 8000"),
        ({"runs": BY_NAME["newbook"].runs}, "newbook and another both claim the part newbook"),
        ({"runs": BY_NAME["booklist"].runs}, "booklist and another both claim the part booklist"),
        ({"runs": (renamed_view("newbook"),)}, "newbook and another both claim the part newbook"),
    ],
)
def test_a_route_of_another_service_is_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ServiceConflict) as conflict:
        check_services([*SERVICES, another(**fields)], GATEWAY)
    assert str(conflict.value) == f"bookshelf/services.py: {message}; change one of them"


def with_path(path: str) -> Service:
    """Return a service with a query of its own at a path."""
    view = replace(BY_NAME["booklist"].views[0], name="another")
    [route] = [route for route in book_list.ROUTES if route.path == "/books"]
    return another(runs=(view,), serves=(replace(route, path=path, view=view),))


@pytest.mark.parametrize(("path", "claimed"), [("/books", "/books"), ("/books/{title}", "/books/{}")])
def test_paths_are_compared_without_the_names_of_parameters(path: str, claimed: str) -> None:
    with pytest.raises(ServiceConflict, match=f"booklist and another both claim the path GET {claimed};"):
        check_services([*SERVICES, with_path(path)], GATEWAY)


def test_a_path_that_overlaps_another_at_a_higher_precedence_is_allowed() -> None:
    check_services([*SERVICES, with_path("/books/lent")], GATEWAY)


def test_one_service_with_one_path_twice_is_refused() -> None:
    service = with_path("/other")
    with pytest.raises(ServiceConflict, match="another claims the path GET /other twice"):
        check_services([replace(service, serves=service.serves * 2)], GATEWAY)


def test_a_path_that_every_service_has_is_refused() -> None:
    with pytest.raises(ServiceConflict, match="another serves GET /metrics, which every service has"):
        check_services([with_path("/metrics")], GATEWAY)


def test_a_route_without_its_part_is_refused() -> None:
    with pytest.raises(ServiceConflict, match="does not run another; add it to `runs`"):
        check_services([replace(with_path("/other"), runs=())], GATEWAY)


async def answer_nothing(_request: Request, _context: RequestContext, _ports: HandlerPorts) -> Response:
    return Response(204, {})


def with_pages(root: str, *paths: str) -> Service:
    """Return a service of pages."""
    pages = (HandlerRoute(path=path, summary="A page", handler=answer_nothing) for path in paths)
    return another(root=root, serves=tuple(pages))


def test_pages_may_have_the_paths_of_the_api_which_are_below_its_prefix() -> None:
    api = [service for service in SERVICES if service.root is None]
    check_services([*api, with_pages("/", "/", "/books")], GATEWAY)


def test_two_services_with_one_root_are_refused() -> None:
    shops = [with_pages("/shop"), replace(with_pages("/shop"), name="other", port=8998)]
    with pytest.raises(ServiceConflict, match="another and other both claim the root /shop;"):
        check_services(shops, GATEWAY)


@pytest.mark.parametrize("path", ["/cart", "/shopping", "/"])
def test_a_page_that_is_not_below_the_root_of_its_service_is_refused(path: str) -> None:
    with pytest.raises(ServiceConflict, match=f"has the root /shop, but serves GET {path}, which is no page"):
        check_services([with_pages("/shop", "/shop", "/shop/cart", path)], GATEWAY)


@pytest.mark.parametrize("root", ["shop", "/Shop", "/shop/", "//", "", "/{id}"])
def test_a_malformed_root_is_refused(root: str) -> None:
    with pytest.raises(ServiceConflict, match="a root is / or like /shop"):
        check_services([with_pages(root)], GATEWAY)


def test_a_service_with_a_root_serves_no_api() -> None:
    with pytest.raises(ServiceConflict, match="which is no page below it"):
        check_services([replace(with_path("/other"), root="/")], GATEWAY)


def with_command(path: str) -> Service:
    """Return a service with a command of its own at a path."""
    aggregate = replace(book.BOOK, name="another")
    [route] = [route for route in book.ROUTES if route.path == "/books/{id}/cover" and route.method == "PUT"]
    return another(runs=(aggregate,), serves=(replace(route, path=path, aggregate=aggregate),))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/books/{id}/readings/{n}", "`params` has no field for {n}; add it"),
        ("/goals", "without {id} in its path; add `subject`, or `creates`"),
    ],
)
def test_a_command_that_lacks_a_value_of_its_path_or_a_subject_is_refused(path: str, message: str) -> None:
    with pytest.raises(ServiceConflict, match=re.escape(message)):
        check_services([with_command(path)], GATEWAY)


def test_a_process_is_a_part_of_its_service_with_topics_of_its_own() -> None:
    service = another(runs=(SELLING,))
    assert service.senders == (SELLING,)
    names = [(topic.name, topic.retention_s) for topic in topics((service,))]
    assert names == [(name, None) for name in ("stall", "selling.answers", "selling.dead-letters")]
    with pytest.raises(ServiceConflict, match="both claim the part selling"):
        check_services([service, another(name="more", port=8998, runs=(replace(SELLING),))], GATEWAY)


def test_the_topics_of_a_process_are_channels_of_the_log() -> None:
    document = asyncapi_document((another(runs=(STOCK, SELLING)),))
    assert document["channels"].keys() >= {"stall", "selling.answers", "selling.dead-letters"}
    assert document["operations"]["selling.process"]["channel"] == {"$ref": "#/channels/stall"}
    assert document["operations"]["selling.refused"]["channel"] == {"$ref": "#/channels/selling.answers"}
    messages = document["channels"]["selling.dead-letters"]["messages"]
    assert messages.keys() <= document["components"]["messages"].keys()
