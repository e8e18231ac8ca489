"""Managers add, change and remove products and categories; categories and the currency are checked here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType
from sqlalchemy import false, select

from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.errors import Conflict, Invalid
from bookshelf.cqrs.handler import Handle, HandlerPorts, HandlerRoute, RequestContext
from bookshelf.http.message import Request, Response
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.bodies import json_answer, no_content, read_body
from bookshelf.runtime.api.ownership import created
from bookshelf.runtime.decoding import Decoder
from bookshelf.shop.catalogue import VIEW, products
from bookshelf.shop.category import CATEGORY, AddCategory, RemoveCategory, RenameCategory
from bookshelf.shop.handlers.keyed import Keyed, keyed, result_fields
from bookshelf.shop.money import Money, Price
from bookshelf.shop.product import PRODUCT, AddProduct, ChangeProduct, RemoveProduct
from bookshelf.shop.values import MANAGE, ONE_LINE, Attribute, ProductDetails

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
Line = Annotated[str, Meta(max_length=200, pattern=ONE_LINE)]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=ONE_LINE)]
Text = Annotated[str, Meta(max_length=5000, pattern=rf"^[^{_CONTROLS}]*$")]
Permille = Annotated[int, Meta(ge=0, le=1000, description="the VAT in thousandths", examples=[70])]
Attributes = Annotated[dict[Name, Line | int | float], Meta(max_length=20)]
#: Bounds of attributes that the shop knows.
_KNOWN = {"age_months": (1, 1200)}


class NewProduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A product to sell."""

    name: Name
    price: Price
    description: Text = ""
    supplier: Line = ""
    category: Line = ""
    vat_permille: Permille = 0
    units: Annotated[int, Meta(ge=0, le=10**6)] = 0
    unique: bool = False
    attributes: Attributes = msgspec.field(default_factory=dict)
    image: Line = ""


class ProductChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The fields of a product to change; `attributes` replaces all of them."""

    name: Name | UnsetType = UNSET
    price: Price | UnsetType = UNSET
    description: Text | UnsetType = UNSET
    supplier: Line | UnsetType = UNSET
    category: Line | UnsetType = UNSET
    vat_permille: Permille | UnsetType = UNSET
    unique: bool | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET
    image: Line | UnsetType = UNSET


class CategoryFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The name of a category."""

    name: Name


class SoldProduct(msgspec.Struct, frozen=True):
    """A product as a manager has left it."""

    id: str
    details: ProductDetails
    price: Money


class NamedCategory(msgspec.Struct, frozen=True):
    """A category as a manager has left it."""

    id: str
    name: str


class CategoryRemoval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"move_to": "move-to"}):
    """Where the products of a category go that is removed."""

    move_to: str | None = None


_NEW, _CHANGES, _FIELDS, _REMOVAL = (
    Decoder(kind) for kind in (NewProduct, ProductChanges, CategoryFields, CategoryRemoval)
)


async def _check_category(category: str, ports: HandlerPorts, field: str = "category") -> None:
    state = await ports.state(CATEGORY, category) if category else None
    if state is not None and (not state.name or state.removed):
        raise Invalid("there is no such category", field=field)


def _check_attributes(attributes: dict[str, Attribute]) -> None:
    for name, (least, most) in _KNOWN.items():
        value = attributes.get(name, least)
        if not isinstance(value, int) or not least <= value <= most:
            raise Invalid(f"{name} is a whole number from {least} to {most}", field="attributes")


def _new_id(prefix: str, asked: Keyed, ports: HandlerPorts) -> str:
    """Return the id of what a request creates: the same one in every retry."""
    return f"{prefix}{created(asked['command_id'] or ports.new_id())}"


@dataclass(frozen=True)
class ProductHandlers:
    """The handlers of products, in a shop that begins with this currency."""

    currency: str

    async def add(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer 201 with the new product. Raises `Problem`, `Invalid`, `KeyReused`."""
        body: NewProduct = await read_body(request, _NEW)
        await self._check(body, request, ports)
        asked = keyed(request, context, body, "p-")
        product = _new_id("p-", asked, ports)
        fields = msgspec.structs.asdict(body)
        price, units = fields.pop("price"), fields.pop("units")
        add = AddProduct(details=ProductDetails(**fields), price=price.money, units=units)
        result = await ports.ask(PRODUCT, product, add, **asked)
        return _product_answer(201, result, {"Location": f"/shop/products/{product}"})

    async def change(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer 200 with the product. Raises `Problem`, `Invalid`, `NotFound`."""
        body: ProductChanges = await read_body(request, _CHANGES)
        await self._check(body, request, ports)
        fields = msgspec.structs.asdict(body)
        if isinstance(body.price, Price):
            fields["price"] = body.price.money
        product, change = context.path["id"], ChangeProduct(**fields)
        result = await ports.ask(PRODUCT, product, change, actor=context.caller.actor)
        return _product_answer(200, result)

    async def _check(self, body: NewProduct | ProductChanges, request: Request, ports: HandlerPorts) -> None:
        after = header_fields.after(request.headers)
        if isinstance(body.category, str):
            await _check_category(body.category, ports)
        if isinstance(body.attributes, dict):
            _check_attributes(body.attributes)
        if isinstance(body.price, Price):
            first = await ports.query(VIEW, _first_currency, after)
            currency = first or self.currency
            if body.price.currency != currency:
                raise Invalid(f"is in {currency}, as all prices of this shop", field="price.currency")


def _first_currency(db: Any) -> str | None:  # noqa: ANN401 (the storage's connection)
    currency: str | None = db.scalar(select(products.c.currency).limit(1))
    return currency


def _product_answer(status: int, result: CommandResult, headers: Mapping[str, str] | None = None) -> Response:
    product, state = result.subject, result.state
    assert state.details is not None  # noqa: S101 (it is there)
    assert state.price is not None  # noqa: S101 (as above)
    return json_answer(
        status, SoldProduct(product, state.details, state.price), {**result_fields(result), **(headers or {})}
    )


async def remove_product(_request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 204. Raises `NotFound`."""
    result = await ports.ask(PRODUCT, context.path["id"], RemoveProduct(), actor=context.caller.actor)
    return no_content(headers=result_fields(result))


async def add_category(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 201 with the new category. Raises `Problem`, `KeyReused`."""
    body: CategoryFields = await read_body(request, _FIELDS)
    asked = keyed(request, context, body, "c-")
    category = _new_id("c-", asked, ports)
    result = await ports.ask(CATEGORY, category, AddCategory(name=body.name), **asked)
    answer = NamedCategory(category, result.state.name)
    return json_answer(201, answer, {**result_fields(result), "Location": f"/shop/categories/{category}"})


async def rename_category(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 200 with the category. Raises `Problem`, `NotFound`."""
    body: CategoryFields = await read_body(request, _FIELDS)
    category, actor = context.path["id"], context.caller.actor
    result = await ports.ask(CATEGORY, category, RenameCategory(name=body.name), actor=actor)
    return json_answer(200, NamedCategory(category, result.state.name), result_fields(result))


async def remove_category(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 204, once its products are in another category. Raises `Conflict`, `Invalid`, `NotFound`."""
    category, actor = context.path["id"], context.caller.actor
    asked: CategoryRemoval = _REMOVAL.parameters({}, request.target.partition("?")[2])
    after = header_fields.after(request.headers)
    left = await ports.query(VIEW, lambda db: _products_of(db, category), after)
    if left and asked.move_to in {None, category}:
        raise Conflict(f"{len(left)} products are in this category; name another one in `move-to`")
    await _check_category(asked.move_to or "", ports, "move-to")
    move = ChangeProduct(category=asked.move_to or "")
    results = [await ports.ask(PRODUCT, product, move, actor=actor) for product in left]
    results.append(await ports.ask(CATEGORY, category, RemoveCategory(), actor=actor))
    return no_content(headers=result_fields(*results))


def _products_of(db: Any, category: str) -> list[str]:  # noqa: ANN401 (the storage's connection)
    query = select(products.c.id).where(products.c.category == category, products.c.removed == false())
    return [str(row.id) for row in db.execute(query)]


def product_routes(currency: str) -> tuple[HandlerRoute, ...]:
    """Return the routes of products and categories that change something."""
    handlers = ProductHandlers(currency)
    one, category = "/shop/products/{id}", "/shop/categories/{id}"
    return (
        _route("POST", "/shop/products", "Add a product", handlers.add, _ADDED),
        _route("PATCH", one, "Change a product", handlers.change, _CHANGED),
        _route("DELETE", one, "Sell a product no more", remove_product, _GONE),
        _route(
            "POST", "/shop/categories", "Add a category", add_category, (CategoryFields, NamedCategory, 201)
        ),
        _route("PATCH", category, "Rename a category", rename_category, (CategoryFields, NamedCategory, 200)),
        _route("DELETE", category, "Remove a category", remove_category, _GONE),
    )


#: Types of the body and of the answer, and its status.
_ADDED, _CHANGED, _GONE = (
    (NewProduct, SoldProduct, 201),
    (ProductChanges, SoldProduct, 200),
    (None, None, 204),
)


def _route(
    method: str, path: str, summary: str, handler: Handle, declared: tuple[Any, Any, int]
) -> HandlerRoute:
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
    )
