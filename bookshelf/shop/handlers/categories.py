"""Managers add, rename and remove categories; what is left in a removed one goes to another one."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta
from sqlalchemy import false, select

from bookshelf.cqrs.errors import Conflict, Invalid
from bookshelf.cqrs.handler import Handle, HandlerPorts, HandlerRoute, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.bodies import json_answer, no_content, read_body
from bookshelf.runtime.api.keyed import Keyed, keyed, recalled, result_fields
from bookshelf.runtime.api.ownership import created
from bookshelf.runtime.decoding import Decoder
from bookshelf.shop.catalogue import VIEW, products
from bookshelf.shop.category import CATEGORY, AddCategory, RemoveCategory, RenameCategory
from bookshelf.shop.product import PRODUCT, ChangeProduct
from bookshelf.shop.values import MANAGE, ONE_LINE

Line = Annotated[str, Meta(max_length=200, pattern=ONE_LINE)]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
#: The header fields that a route reads which adds something, and one which changes or removes it.
NAMED = (header_fields.KEY,)
CHANGES = (header_fields.KEY, "If-Match")


class CategoryFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name of a category."""

    name: Name


class NamedCategory(msgspec.Struct, frozen=True):
    """A category as a manager has left it."""

    id: str
    name: str


class CategoryRemoval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"move_to": "move-to"}):
    """Where the products of a category go that is removed."""

    move_to: str | None = None


_FIELDS, _REMOVAL = Decoder(CategoryFields), Decoder(CategoryRemoval)


async def check_category(category: str, ports: HandlerPorts, field: str = "category") -> None:
    """Return if there is this category, or none is named. Raises `Invalid`."""
    state = await ports.state(CATEGORY, category) if category else None
    if state is not None and (not state.name or state.removed):
        raise Invalid("there is no such category", field=field)


def new_id(prefix: str, asked: Keyed, ports: HandlerPorts) -> str:
    """Return the id of what a request creates: the same one in every retry."""
    return f"{prefix}{created(asked['command_id'] or ports.new_id())}"


async def add_category(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 201 with the new category. Raises `Problem`, `KeyReused`."""
    body: CategoryFields = await read_body(request, _FIELDS)
    asked = keyed(request, context, body, "c-")
    category = new_id("c-", asked, ports)
    result = await ports.ask(CATEGORY, category, AddCategory(name=body.name), **asked)
    answer = NamedCategory(category, result.state.name)
    return json_answer(201, answer, {**result_fields(result), "Location": f"/shop/categories/{category}"})


async def rename_category(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 200 with the category. Raises `Problem`, `Changed`, `KeyReused`, `NotFound`."""
    body: CategoryFields = await read_body(request, _FIELDS)
    category, rename = context.path["id"], RenameCategory(name=body.name)
    asked, expects = keyed(request, context, body), header_fields.expects(request.headers)
    result = await ports.ask(CATEGORY, category, rename, **asked, expects=expects)
    return json_answer(200, NamedCategory(category, result.state.name), result_fields(result))


async def remove_category(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 204, once its products are in another category.

    Raises `Changed`, `Conflict`, `Invalid`, `KeyReused`, `NotFound`.
    """
    category, actor, remove = context.path["id"], context.caller.actor, RemoveCategory()
    removal: CategoryRemoval = _REMOVAL.parameters({}, request.target.partition("?")[2])
    asked, expects = keyed(request, context, removal), header_fields.expects(request.headers)
    first = await recalled(CATEGORY, category, remove, asked, ports)
    if first is not None:
        return no_content(headers=result_fields(first))
    after = header_fields.after(request.headers)
    left = await ports.query(VIEW, lambda db: _products_of(db, category), after)
    if expects is not None and left:  # before the first product is moved
        await _check_version(category, actor, expects, ports)
    if left and removal.move_to in {None, category}:
        raise Conflict(f"{len(left)} products are in this category; name another one in `move-to`")
    await check_category(removal.move_to or "", ports, "move-to")
    move = ChangeProduct(category=removal.move_to or "")
    results = [await ports.ask(PRODUCT, product, move, actor=actor) for product in left]
    results.append(await ports.ask(CATEGORY, category, remove, **asked, expects=expects))
    return no_content(headers=result_fields(*results))


async def _check_version(category: str, actor: str, expects: frozenset[int], ports: HandlerPorts) -> None:
    """Return if a category has one of these versions. Raises `Changed`, `NotFound`."""
    state = await ports.state(CATEGORY, category)
    # the name that it has at such a version: this changes nothing
    await ports.ask(CATEGORY, category, RenameCategory(name=state.name), actor=actor, expects=expects)


def _products_of(db: Any, category: str) -> list[str]:  # noqa: ANN401 (the storage's connection)
    query = select(products.c.id).where(products.c.category == category, products.c.removed == false())
    return [str(row.id) for row in db.execute(query)]


def manager_route(
    method: str,
    path: str,
    summary: str,
    handler: Handle,
    declared: tuple[Any, Any, int],
    heeds: tuple[str, ...],
) -> HandlerRoute:
    """Return a route for managers; `declared`: the types of the body and of the answer, and its status."""
    body, returns, status = declared
    return HandlerRoute(
        method=method,
        path=path,
        summary=summary,
        handler=handler,
        requires=MANAGE,
        body=body,
        returns=returns,
        status=status,
        heeds=heeds,
    )


def category_routes() -> tuple[HandlerRoute, ...]:
    """Return the routes of categories that change something."""
    every, one = "/shop/categories", "/shop/categories/{id}"
    added, named = (CategoryFields, NamedCategory, 201), (CategoryFields, NamedCategory, 200)
    return (
        manager_route("POST", every, "Add a category", add_category, added, NAMED),
        manager_route("PATCH", one, "Rename a category", rename_category, named, CHANGES),
        manager_route("DELETE", one, "Remove a category", remove_category, (None, None, 204), CHANGES),
    )
