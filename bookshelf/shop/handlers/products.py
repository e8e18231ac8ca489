"""Managers add, change and remove products; categories and the currency are checked here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from bookshelf.cqrs.command_result import CommandResult
from bookshelf.cqrs.errors import Invalid
from bookshelf.cqrs.handler import HandlerPorts, HandlerRoute, RequestContext
from bookshelf.cqrs.message import Command
from bookshelf.http.message import Request, Response
from bookshelf.runtime.api import header_fields
from bookshelf.runtime.api.bodies import json_answer, no_content, read_body
from bookshelf.runtime.api.keyed import Keyed, keyed, recalled, result_fields
from bookshelf.runtime.decoding import Decoder
from bookshelf.shop.catalogue import VIEW
from bookshelf.shop.catalogue_queries import first_currency
from bookshelf.shop.handlers.categories import (
    CHANGES,
    NAMED,
    Line,
    Name,
    category_routes,
    check_category,
    manager_route,
    new_id,
)
from bookshelf.shop.money import Money, Price
from bookshelf.shop.product import PRODUCT, AddProduct, ChangeProduct, RemoveProduct
from bookshelf.shop.values import Attribute, ProductDetails

_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
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


class SoldProduct(msgspec.Struct, frozen=True):
    """A product as a manager has left it."""

    id: str
    details: ProductDetails
    price: Money


_NEW, _CHANGES = Decoder(NewProduct), Decoder(ProductChanges)


def _check_attributes(attributes: dict[str, Attribute]) -> None:
    for name, (least, most) in _KNOWN.items():
        value = attributes.get(name, least)
        if not isinstance(value, int) or not least <= value <= most:
            raise Invalid(f"{name} is a whole number from {least} to {most}", field="attributes")


@dataclass(frozen=True)
class _Call:
    """A command on a product, and what it is asked with."""

    product: str
    command: Command
    asked: Keyed
    expects: frozenset[int] | None = None


@dataclass(frozen=True)
class ProductHandlers:
    """The handlers of products, in a shop that begins with this currency."""

    currency: str

    async def add(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer 201 with the new product. Raises `Problem`, `Invalid`, `KeyReused`."""
        body: NewProduct = await read_body(request, _NEW)
        asked = keyed(request, context, body, "p-")
        product = new_id("p-", asked, ports)
        fields = msgspec.structs.asdict(body)
        price, units = fields.pop("price"), fields.pop("units")
        add = AddProduct(details=ProductDetails(**fields), price=price.money, units=units)
        call = _Call(product, add, asked)
        result = await self._ask_checked(call, body, request, ports)
        return _product_answer(201, result, {"Location": f"/shop/products/{product}"})

    async def change(self, request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
        """Answer 200 with the product. Raises `Problem`, `Changed`, `Invalid`, `KeyReused`, `NotFound`."""
        body: ProductChanges = await read_body(request, _CHANGES)
        fields = msgspec.structs.asdict(body)
        if isinstance(body.price, Price):
            fields["price"] = body.price.money
        asked = keyed(request, context, body)
        call = _Call(
            context.path["id"], ChangeProduct(**fields), asked, header_fields.expects_part(request.headers)
        )
        return _product_answer(200, await self._ask_checked(call, body, request, ports))

    async def _ask_checked(
        self, call: "_Call", body: NewProduct | ProductChanges, request: Request, ports: HandlerPorts
    ) -> CommandResult:
        """Return the result of a command whose values are allowed; or of a repetition."""
        try:
            await self._check(body, request, ports)
        except Invalid:
            first = await recalled(PRODUCT, call.product, call.command, call.asked, ports)
            if first is None:
                raise
            return first
        return await ports.ask(PRODUCT, call.product, call.command, **call.asked, expects=call.expects)

    async def _check(self, body: NewProduct | ProductChanges, request: Request, ports: HandlerPorts) -> None:
        after = header_fields.after(request.headers)
        if isinstance(body.category, str):
            await check_category(body.category, ports)
        if isinstance(body.attributes, dict):
            _check_attributes(body.attributes)
        if isinstance(body.price, Price):
            first = await ports.query(VIEW, first_currency, after)
            currency = first or self.currency
            if body.price.currency != currency:
                raise Invalid(f"is in {currency}, as all prices of this shop", field="price.currency")


def _product_answer(status: int, result: CommandResult, headers: Mapping[str, str] | None = None) -> Response:
    product, state = result.subject, result.state
    assert state.details is not None  # noqa: S101 (it is there)
    assert state.price is not None  # noqa: S101 (as above)
    return json_answer(
        status, SoldProduct(product, state.details, state.price), {**result_fields(result), **(headers or {})}
    )


async def remove_product(request: Request, context: RequestContext, ports: HandlerPorts) -> Response:
    """Answer 204. Raises `Changed`, `KeyReused`, `NotFound`."""
    remove = RemoveProduct()
    asked, expects = keyed(request, context, remove), header_fields.expects_part(request.headers)
    result = await ports.ask(PRODUCT, context.path["id"], remove, **asked, expects=expects)
    return no_content(headers=result_fields(result))


def product_routes(currency: str) -> tuple[HandlerRoute, ...]:
    """Return the routes of products and categories that change something."""
    handlers, one = ProductHandlers(currency), "/shop/products/{id}"
    return (
        manager_route(
            "POST", "/shop/products", "Add a product", handlers.add, (NewProduct, SoldProduct, 201), NAMED
        ),
        manager_route(
            "PATCH", one, "Change a product", handlers.change, (ProductChanges, SoldProduct, 200), CHANGES
        ),
        manager_route("DELETE", one, "Sell a product no more", remove_product, (None, None, 204), CHANGES),
        *category_routes(),
    )
