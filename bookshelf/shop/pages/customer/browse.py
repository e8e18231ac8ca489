"""Products as a grid: those of a category, or those that a search finds; sorted, filtered, by pages."""

from collections.abc import Mapping, Sequence

import msgspec

from bookshelf.shop.pages.shared.models import ShopCategory, ShopProduct
from bookshelf.shop.pages.shared.product_tiles import ProductTile, example_products, long_product, to_tile
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

SEARCH, CATEGORIES = "/shop/search", "/shop/categories"
SORTS = (
    ("name", _("By title")),
    ("-added", _("Newest first")),
    ("price", _("Lowest price first")),
    ("-price", _("Highest price first")),
)
_PAGE = 24


class BrowseQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to show: words, a supplier, only what can be had; in which order, and from where on."""

    q: str = ""
    supplier: str = ""
    available: bool = False
    sort: str = "name"
    after: str = ""


class BrowseModel(Model):
    """A page of products; `category` is None for a search. Addresses lead to the same with another filter."""

    path: str
    category: ShopCategory | None
    categories: tuple[ShopCategory, ...]
    words: str
    supplier: str
    available: bool
    sort: str
    sorts: tuple[tuple[str, str], ...]
    tiles: tuple[ProductTile, ...]
    count: int
    more_address: str
    availability_address: str
    supplier_address: str


async def show_category(request: PageRequest) -> Page:
    """Show the products of a category."""
    path = f"{CATEGORIES}/{segment(request.path['id'])}"
    category = await request.api.get(path, kind=ShopCategory)
    return await _browse(request, path, category.body)


async def show_search(request: PageRequest) -> Page:
    """Show the products that have the words; all of them without words."""
    return await _browse(request, SEARCH, None)


async def _browse(request: PageRequest, path: str, category: ShopCategory | None) -> Page:
    query: BrowseQuery = request.query
    if query.sort not in dict(SORTS):
        query = msgspec.structs.replace(query, sort="name")
    asked = target(
        "/shop/products",
        category=None if category is None else category.id,
        q=query.q[:200],
        supplier=query.supplier,
        available="true" if query.available else None,
        sort=query.sort,
        limit=_PAGE,
        after=query.after,
    )
    products = await request.api.get(asked, kind=list[ShopProduct])
    categories = await request.api.try_get("/shop/categories", kind=list[ShopCategory])
    found: Sequence[ShopProduct] = products.body
    known = () if categories is None else tuple(categories.body)
    return _page(path, category, known, query, found, products.total, products.cursor)


def _page(  # noqa: PLR0913, PLR0917 (what the page is made of)
    path: str,
    category: ShopCategory | None,
    categories: tuple[ShopCategory, ...],
    query: BrowseQuery,
    found: Sequence[ShopProduct],
    count: int,
    cursor: str | None,
) -> Page:
    without = msgspec.structs.replace(query, after="")
    model = BrowseModel(
        path=path,
        category=category,
        categories=categories,
        words=query.q,
        supplier=query.supplier,
        available=query.available,
        sort=query.sort,
        sorts=SORTS,
        tiles=tuple(map(to_tile, found)),
        count=count,
        more_address="" if cursor is None else _address(path, msgspec.structs.replace(query, after=cursor)),
        availability_address=_address(path, msgspec.structs.replace(without, available=not query.available)),
        supplier_address=_address(path, msgspec.structs.replace(without, supplier="")),
    )
    return Page("browse.html", model, title=None if category is None else category.name)


def _address(path: str, query: BrowseQuery) -> str:
    sort = None if query.sort == "name" else query.sort
    available = "true" if query.available else None
    given = {"q": query.q, "supplier": query.supplier, "available": available, "sort": sort}
    return target(path, **given, after=query.after)


def _examples() -> Mapping[str, Page]:
    novels = ShopCategory("c-1", "Novels", 8)
    categories = (novels, ShopCategory("c-2", "Travel", 1))
    products, path = example_products(), f"{CATEGORIES}/c-1"
    long = [long_product(), *products]
    asked = BrowseQuery(q="a long search " * 10, supplier=long_product().supplier, available=True)
    return {
        "usual": _page(path, novels, categories, BrowseQuery(), products, 8, None),
        "empty": _page(path, ShopCategory("c-2", "Travel", 0), categories, BrowseQuery(), [], 0, None),
        "long": _page(SEARCH, None, categories, asked, long, 12_345, "next"),
    }


def _search_examples() -> Mapping[str, Page]:
    nothing = BrowseQuery(q="nothing like this")
    return {"none": _page(SEARCH, None, (), nothing, [], 0, None)}


PAGES = (
    PageRoute(
        f"{CATEGORIES}/{{id}}",
        get=show_category,
        title=_("Category"),
        params=BrowseQuery,
        section="/shop",
        examples=_examples,
        requires=None,
    ),
    PageRoute(
        SEARCH,
        get=show_search,
        title=_("All books"),
        params=BrowseQuery,
        section=SEARCH,
        examples=_search_examples,
        requires=None,
    ),
)
