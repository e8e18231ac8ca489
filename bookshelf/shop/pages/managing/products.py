"""Products in a table: by words, category, and what is low; sorted, and page by page."""

from collections.abc import Mapping, Sequence

import msgspec

from bookshelf.shop.pages.managing.form_parts import ROOT
from bookshelf.shop.pages.shared.models import ShopCategory, ShopProduct
from bookshelf.shop.pages.shared.product_tiles import ProductTile, example_products, long_product, to_tile
from bookshelf.shop.values import MANAGE
from bookshelf.site.api_adapters import target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

PRODUCTS = f"{ROOT}/products"
LOW = 6
_SORTS = frozenset({"name", "-name", "price", "-price", "added", "-added"})
_PAGE = 30


class ProductSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which products: with these words, of a category, with few units; in which order; from where on."""

    q: str = ""
    category: str = ""
    low: bool = False
    sort: str = "name"
    after: str = ""


class ProductsModel(Model):
    """A page of products; `next_sort` has the sort of each column once its header is used."""

    tiles: tuple[ProductTile, ...]
    names: Mapping[str, str]
    categories: tuple[ShopCategory, ...]
    count: int
    words: str
    category: str
    low: bool
    sort: str
    sort_addresses: Mapping[str, str]
    low_address: str
    more_address: str
    first_address: str


async def show_products(request: PageRequest) -> Page:
    """Show the products that match."""
    query: ProductSearch = request.query
    if query.sort not in _SORTS:
        query = msgspec.structs.replace(query, sort="name")
    asked = target(
        "/shop/products",
        q=query.q[:200],
        category=query.category,
        units_below=LOW if query.low else None,
        sort=query.sort,
        limit=_PAGE,
        after=query.after,
    )
    products = await request.api.get(asked, kind=list[ShopProduct])
    categories = await request.api.try_get("/shop/categories", kind=list[ShopCategory])
    known = () if categories is None else tuple(categories.body)
    return _page(products.body, known, query, products.total, products.cursor)


def _page(
    found: Sequence[ShopProduct],
    categories: tuple[ShopCategory, ...],
    query: ProductSearch,
    count: int,
    cursor: str | None = None,
) -> Page:
    model = ProductsModel(
        tiles=tuple(map(to_tile, found)),
        names={one.id: one.name for one in categories},
        categories=categories,
        count=count,
        words=query.q,
        category=query.category,
        low=query.low,
        sort=query.sort,
        sort_addresses={
            **{
                name: _address(query, sort=f"-{name}" if query.sort == name else name)
                for name in ("name", "price")
            },
            "added": _address(query, sort="-added"),
        },
        low_address=_address(query, low=not query.low),
        more_address="" if cursor is None else _address(query, after=cursor),
        first_address=_address(query) if query.after else "",
    )
    return Page("products.html", model)


def _address(query: ProductSearch, **changes: object) -> str:
    asked = msgspec.structs.replace(query, **{"after": "", **changes})
    return target(
        PRODUCTS,
        q=asked.q,
        category=asked.category,
        low="on" if asked.low else None,
        sort=None if asked.sort == "name" else asked.sort,
        after=asked.after,
    )


def example_stock() -> tuple[ShopProduct, ...]:
    """Return products with their numbers, for examples of pages."""
    return tuple(
        msgspec.structs.replace(one, units=number * 3, reserved=number % 3, available=number * 3 - number % 3)
        for number, one in enumerate(example_products())
    )


def long_stock() -> ShopProduct:
    """Return a product with long texts and large numbers."""
    return msgspec.structs.replace(long_product(), units=1_000_000, reserved=999_999, available=1)


def _examples() -> Mapping[str, Page]:
    categories = (ShopCategory("c-1", "Novels", 8), ShopCategory("c-2", "Travel", 1))
    asked = ProductSearch(q="a long search " * 10, low=True, sort="-price")
    return {
        "usual": _page(example_stock(), categories, ProductSearch(), 8),
        "empty": _page((), (), ProductSearch(), 0),
        "none": _page((), categories, ProductSearch(q="nothing"), 0),
        "long": _page((long_stock(), *example_stock()), categories, asked, 12_345, "next"),
    }


PAGES = (
    PageRoute(
        PRODUCTS,
        get=show_products,
        title=_("Products"),
        params=ProductSearch,
        section=PRODUCTS,
        examples=_examples,
        requires=MANAGE,
    ),
)
