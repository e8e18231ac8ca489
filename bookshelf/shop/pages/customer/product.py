"""The page of a product, and the form that puts it into the cart or orders it at once."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.shop.pages.customer.cart import add_to_cart
from bookshelf.shop.pages.shared.models import ShopCategory, ShopProduct
from bookshelf.shop.pages.shared.product_tiles import (
    AUTHOR,
    ProductTile,
    example_products,
    long_product,
    to_tile,
)
from bookshelf.shop.values import QUANTITY_MOST, Attribute
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import SIGN_IN, Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

PRODUCTS = "/shop/products"
#: The names of attributes that the shop knows; others are shown as they were given.
_ATTRIBUTES: Mapping[str, str] = {
    AUTHOR: _("Author"),
    "pages": _("Pages"),
    "year": _("Year"),
    "published": _("Published"),
    "language": _("Language"),
    "format": _("Format"),
    "isbn": "ISBN",
    "publisher": _("Publisher"),
    "series": _("Series"),
    "age_months": _("Age in months"),
}


#: Attributes whose whole numbers are amounts: those alone are written with separators.
_AMOUNTS = frozenset({"pages"})


class BuyForm(Form):
    """How many to put into the cart; `then`: order to order them at once."""

    quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MOST)] = 1
    then: str = ""


class ProductModel(Model):
    """A product, its category if it is known, its attributes by their names, and others like it."""

    tile: ProductTile
    category: ShopCategory | None
    attributes: tuple[tuple[str, Attribute], ...]
    vat: float
    others: tuple[ProductTile, ...]


async def show_product(request: PageRequest) -> Page:
    """Show a product, also one that is sold no more."""
    product: ShopProduct = (await request.api.get(_path(request), kind=ShopProduct)).body
    category, others = None, ()
    if product.category:
        found = await request.api.try_get(f"/shop/categories/{segment(product.category)}", kind=ShopCategory)
        category = None if found is None else found.body
        asked = target(PRODUCTS, category=product.category, sort="-added", limit=7)
        near = await request.api.try_get(asked, kind=list[ShopProduct])
        others = () if near is None else tuple(one for one in near.body if one.id != product.id)[:6]
    return _page(product, category, others)


def _page(product: ShopProduct, category: ShopCategory | None, others: tuple[ShopProduct, ...] = ()) -> Page:
    model = ProductModel(
        tile=to_tile(product),
        category=category,
        attributes=tuple(
            (
                _ATTRIBUTES.get(name, name),
                str(value) if isinstance(value, int) and name not in _AMOUNTS else value,
            )
            for name, value in product.attributes.items()
        ),
        vat=product.vat_permille / 10,
        others=tuple(map(to_tile, others)),
    )
    return Page("product.html", model, title=product.name, form=BuyForm())


def _path(request: PageRequest) -> str:
    return f"{PRODUCTS}/{segment(request.path['id'])}"


async def add(request: PageRequest, form: BuyForm) -> Redirect:
    """Put a product into the cart, or go on to its order. A guest signs in first. Raises `ApiProblem`."""
    path, product_id = _path(request), request.path["id"]
    if request.caller.is_guest:
        return Redirect(target(SIGN_IN, next=path))
    if form.then == "order":
        return Redirect(target("/shop/checkout", product=product_id, quantity=form.quantity))
    product: ShopProduct = (await request.api.get(path, kind=ShopProduct)).body
    await add_to_cart(request, product, form.quantity)
    return Redirect(request.back(path), notice="in-cart")


def _examples() -> Mapping[str, Page]:
    products, novels = example_products(), ShopCategory("c-1", "Novels", 8)
    usual = msgspec.structs.replace(
        products[1],
        description="A lone envoy on a world of ice, and a journey of eighty days.\n\nWith a foreword.",
        attributes={AUTHOR: "Ursula K. Le Guin", "pages": 1304, "published": 1969},
    )
    removed = msgspec.structs.replace(products[2], removed=True)
    one = msgspec.structs.replace(products[0], unique=True)
    return {
        "usual": _page(usual, novels, products[3:]),
        "out": _page(products[4], None),
        "removed": _page(removed, None),
        "unique": _page(one, novels),
        "long": _page(long_product(), novels, products[:6]),
    }


PAGES = (
    PageRoute(
        f"{PRODUCTS}/{{id}}",
        get=show_product,
        post=add,
        form=BuyForm,
        title=_("Product"),
        section="/shop",
        examples=_examples,
        requires=None,
    ),
)
