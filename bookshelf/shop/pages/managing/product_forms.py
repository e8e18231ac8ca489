"""Adding a product and changing one, with its picture, which is uploaded as a file of its own."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
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
#: The attributes that are numbers, and the digits that JSON no longer has exactly.
_NUMBERS, _DIGITS = frozenset({"pages", "year", "published", "age_months"}), 16
#: The VAT of books in percent, which a new product begins with.
_USUAL_VAT = 7.0
_NONE: Mapping[str, Attribute] = MappingProxyType({})
#: The fields whose first values are compared, and the inputs of fields of the API with another name.
_COMPARED = ("name", "price", "vat", "category", "supplier", "description", "attributes", "unique")
_INPUTS: Mapping[str, str] = {"vat_permille": "vat", "image": "picture"}
_REFUSED = frozenset({400, 413, 415, 422})


class ProductForm(Form):
    """A product as it is typed: the price as an amount, VAT in percent, an attribute on each line.

    `shown` has a digest of what each field showed: a field that still has it is not sent, so that saving
    takes back nothing that another manager has changed meanwhile.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    price: Annotated[str, Meta(max_length=40)]
    vat: Annotated[float, Meta(ge=0, le=100)]
    category: str = ""
    supplier: Annotated[str, Meta(max_length=200)] = ""
    description: Annotated[str, Meta(max_length=5000)] = ""
    attributes: Annotated[str, Meta(max_length=5000)] = ""
    units: Annotated[int, Meta(ge=0, le=10**6)] = 0
    unique: bool = False
    picture: UploadedFile | None = None
    remove_picture: bool = False
    shown: str = ""


class ProductFormModel(Model):
    """The choices of the form; `tile` is the product, None for a new one, `shown` its present digests."""

    tile: ProductTile | None
    categories: tuple[tuple[str, str], ...]
    currency: str
    shown: str


async def show_new_product(request: PageRequest) -> Page:
    """Ask for a new product."""
    return _page(None, await _categories(request), await currency_of(request))


async def show_product(request: PageRequest) -> Page:
    """Ask for the changes of a product."""
    found = await request.api.get(_path(request), kind=ShopProduct)
    product: ShopProduct = found.body
    categories = await _categories(request)
    as_it_is = request.translate(_("As it is"))
    page = _page(product, categories, product.price.currency, locale_of(request), as_it_is)
    return replace(page, version=found.version)


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
    as_it_is: str = "As it is",
) -> Page:
    choices = tuple((one.id, one.name) for one in categories)
    if product is not None and product.category and product.category not in dict(choices):
        # saving keeps a category that cannot be read now
        choices = (*choices, (product.category, as_it_is))
    if product is None:
        model = ProductFormModel(tile=None, categories=choices, currency=currency, shown="")
        return Page("product_form.html", model, form=ProductForm(name="", price="", vat=_USUAL_VAT))
    form = _shown_form(product, locale)
    model = ProductFormModel(tile=to_tile(product), categories=choices, currency=currency, shown=form.shown)
    return Page("product_form.html", model, title=product.name, form=form, version='"1"')


def _shown_form(product: ShopProduct, locale: str) -> ProductForm:
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
    return msgspec.structs.replace(form, shown=" ".join(f"{one}={_digest(form, one)}" for one in _COMPARED))


def _digest(form: ProductForm, name: str) -> str:
    """Return a digest of a field as a browser sends it back: one sign for line ends, nothing around it."""
    text = str(getattr(form, name)).replace("\r\n", "\n").strip()
    return blake2b(text.encode(), digest_size=8, person=b"product-field").hexdigest()


def _is_changed(form: ProductForm, name: str) -> bool:
    """Return True if a field has another value than the one that the form showed."""
    return f"{name}={_digest(form, name)}" not in form.shown.split(" ")


async def add_product(request: PageRequest, form: ProductForm) -> Redirect:
    """Add a product. Raises `ApiProblem`, `FormRefused`."""
    fields = await _fields(request, form, await currency_of(request))
    await request.api.post("/shop/products", {**fields, "units": form.units})
    return Redirect(PRODUCTS, notice="product-added")


async def change_product(request: PageRequest, form: ProductForm) -> Redirect:
    """Change what was typed anew of a product, if nothing came between; never its units.

    Raises `ApiProblem`, `FormRefused`.
    """
    product: ShopProduct = (await request.api.get(_path(request), kind=ShopProduct)).body
    fields = await _fields(request, form, product.price.currency, product.attributes)
    fields = {name: value for name, value in fields.items() if _is_changed(form, _INPUTS.get(name, name))}
    if form.remove_picture and form.picture is None:
        fields["image"] = ""
    if fields:
        await request.api.patch(_path(request), fields, version=request.version)
    return Redirect(f"{PRODUCTS}/{segment(product.id)}", notice="product-changed")


async def _fields(
    request: PageRequest, form: ProductForm, currency: str, known: Mapping[str, Attribute] = _NONE
) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "name": form.name,
        "price": typed_amount(request, "price", form.price, currency),
        "vat_permille": round(form.vat * 10),
        "category": form.category,
        "supplier": form.supplier,
        "description": form.description,
        "attributes": _attributes(request, form.attributes, known),
        "unique": form.unique,
    }
    if form.picture is not None:
        fields["image"] = await _upload(request, form.picture)
    return fields


def _attributes(request: PageRequest, text: str, known: Mapping[str, Attribute]) -> dict[str, Attribute]:
    found: dict[str, Attribute] = {}
    for line in filter(str.strip, text.splitlines()):
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not name or not colon or not value:
            detail = request.translate(_("Write each on a line of its own, like “author: George Eliot”."))
            raise FormRefused(FieldFault("attributes", detail))
        found[name] = known[name] if name in known and str(known[name]) == value else _attribute(name, value)
    return found


def _attribute(name: str, text: str) -> Attribute:
    """Return a typed attribute: a number only if it is one by its name, else the text, with all its zeros."""
    is_number = name in _NUMBERS and text.isascii() and text.isdigit() and len(text) < _DIGITS
    return int(text) if is_number and str(int(text)) == text else text


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
