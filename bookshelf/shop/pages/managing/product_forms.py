"""Adding a product and changing one, with its picture, which is uploaded as a file of its own."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta

from bookshelf.http.multipart import FormLimits, UploadedFile
from bookshelf.shop.money import show_number
from bookshelf.shop.pages.managing.form_parts import currency_of, locale_of, typed_amount
from bookshelf.shop.pages.managing.products import PRODUCTS, example_stock, long_stock
from bookshelf.shop.pages.shared.models import ShopCategory, ShopProduct
from bookshelf.shop.pages.shared.product_tiles import ProductTile, to_tile
from bookshelf.shop.values import MANAGE, Attribute
from bookshelf.site.api_adapters import ApiProblem, FieldFault, segment
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES = {
    "product-added": _("The product is added."),
    "product-changed": _("The product is changed."),
}
_LIMITS = FormLimits()
#: Bytes of the form around the file.
_AROUND = 256 << 10
_REFUSED = frozenset({400, 413, 415, 422})


class ProductForm(Form):
    """A product as it is typed: the price as an amount, VAT in percent, an attribute on each line."""

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    price: Annotated[str, Meta(max_length=40)]
    vat: Annotated[float, Meta(ge=0, le=100)] = 7.0
    category: str = ""
    supplier: Annotated[str, Meta(max_length=200)] = ""
    description: Annotated[str, Meta(max_length=5000)] = ""
    attributes: Annotated[str, Meta(max_length=5000)] = ""
    units: Annotated[int, Meta(ge=0, le=10**6)] = 0
    unique: bool = False
    picture: UploadedFile | None = None
    remove_picture: bool = False


class ProductFormModel(Model):
    """The choices of the form; `tile` is the product, None for a new one."""

    tile: ProductTile | None
    categories: tuple[tuple[str, str], ...]
    currency: str


async def show_new_product(request: PageRequest) -> Page:
    """Ask for a new product."""
    return _page(None, await _categories(request), await currency_of(request))


async def show_product(request: PageRequest) -> Page:
    """Ask for the changes of a product."""
    product: ShopProduct = (await request.api.get(_path(request), kind=ShopProduct)).body
    categories = await _categories(request)
    return _page(product, categories, product.price.currency, locale_of(request))


def _path(request: PageRequest) -> str:
    return f"/shop/products/{segment(request.path['id'])}"


async def _categories(request: PageRequest) -> tuple[ShopCategory, ...]:
    found = await request.api.try_get("/shop/categories", kind=list[ShopCategory])
    return () if found is None else tuple(found.body)


def _page(
    product: ShopProduct | None,
    categories: tuple[ShopCategory, ...],
    currency: str = "EUR",
    locale: str = "en_GB",
) -> Page:
    model = ProductFormModel(
        tile=None if product is None else to_tile(product),
        categories=tuple((one.id, one.name) for one in categories),
        currency=currency,
    )
    if product is None:
        return Page("product_form.html", model, title=None)
    form = ProductForm(
        name=product.name,
        price=show_number(product.price, locale),
        vat=product.vat_permille / 10,
        category=product.category,
        supplier=product.supplier,
        description=product.description,
        attributes="\n".join(f"{name}: {value}" for name, value in product.attributes.items()),
        unique=product.unique,
    )
    return Page("product_form.html", model, title=product.name, form=form)


async def add_product(request: PageRequest, form: ProductForm) -> Redirect:
    """Add a product. Raises `ApiProblem`, `FormRefused`."""
    fields = await _fields(request, form, await currency_of(request))
    await request.api.post("/shop/products", {**fields, "units": form.units})
    return Redirect(PRODUCTS, notice="product-added")


async def change_product(request: PageRequest, form: ProductForm) -> Redirect:
    """Change a product, never its units. Raises `ApiProblem`, `FormRefused`."""
    product: ShopProduct = (await request.api.get(_path(request), kind=ShopProduct)).body
    fields = await _fields(request, form, product.price.currency)
    if form.remove_picture and form.picture is None:
        fields["image"] = ""
    await request.api.patch(_path(request), fields)
    return Redirect(f"{PRODUCTS}/{segment(product.id)}", notice="product-changed")


async def _fields(request: PageRequest, form: ProductForm, currency: str) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": form.name,
        "price": typed_amount(request, "price", form.price, currency),
        "vat_permille": round(form.vat * 10),
        "category": form.category,
        "supplier": form.supplier,
        "description": form.description,
        "attributes": _attributes(request, form.attributes),
        "unique": form.unique,
    }
    if form.picture is not None:
        fields["image"] = await _upload(request, form.picture)
    return fields


def _attributes(request: PageRequest, text: str) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    for line in filter(str.strip, text.splitlines()):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not name or not colon or not value:
            detail = request.translate(_("Write each on a line of its own, like “author: George Eliot”."))
            raise FormRefused(FieldFault("attributes", detail))
        found[name] = int(value) if value.isascii() and value.isdigit() and len(value) < 16 else value  # noqa: PLR2004 (digits that JSON has exactly)
    return found


async def _upload(request: PageRequest, picture: UploadedFile) -> str:
    """Return the id of the stored picture. Raises `ApiProblem`, `FormRefused`."""
    content = await asyncio.to_thread(picture.path.read_bytes)
    try:
        answer = await request.api.post("/files", content)
    except ApiProblem as problem:
        if problem.answer.status not in _REFUSED:
            raise
        detail = request.translate(_("This is no picture that can be shown: a JPEG, PNG, WebP or GIF."))
        raise FormRefused(FieldFault("picture", detail)) from None
    return str(answer.body["id"])


def _new_examples() -> Mapping[str, Page]:
    categories = (ShopCategory("c-1", "Novels", 8), ShopCategory("c-2", "Travel", 1))
    return {"new": _page(None, categories), "first": _page(None, ())}


def _examples() -> Mapping[str, Page]:
    categories = (ShopCategory("c-1", "Novels", 8), ShopCategory("c-2", "Travel", 1))
    return {"usual": _page(example_stock()[1], categories), "long": _page(long_stock(), categories)}


PAGES = (
    PageRoute(
        f"{PRODUCTS}/add",
        get=show_new_product,
        post=add_product,
        form=ProductForm,
        title=_("Add a product"),
        section=PRODUCTS,
        examples=_new_examples,
        most=_LIMITS.file_bytes + _AROUND,
        files=_LIMITS,
        requires=MANAGE,
    ),
    PageRoute(
        f"{PRODUCTS}/{{id}}",
        get=show_product,
        post=change_product,
        form=ProductForm,
        title=_("Product"),
        section=PRODUCTS,
        examples=_examples,
        most=_LIMITS.file_bytes + _AROUND,
        files=_LIMITS,
        requires=MANAGE,
    ),
)
