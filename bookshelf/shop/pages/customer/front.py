"""The entrance of the shop: the categories as tiles, and what is new."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bookshelf.covers.drawing import GeneratedCover
from bookshelf.shop.pages.shared.models import ShopCategory, ShopProduct
from bookshelf.shop.pages.shared.product_tiles import (
    ProductTile,
    example_products,
    long_product,
    product_cover,
    to_tile,
)
from bookshelf.shop.values import MANAGE
from bookshelf.site.api_adapters import target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

ROOT = "/shop"
#: How many of the newest products are read for the covers of the tiles, and how many are shown.
_NEWEST, _NEW_SHOWN, _TILE_COVERS = 100, 12, 3


class CategoryTile(NamedTuple):
    """A category with covers of some of its products, else with one that has its own name."""

    category: ShopCategory
    covers: tuple[GeneratedCover, ...]


class FrontModel(Model):
    """The categories and the newest products; None for what cannot be read now.

    `manages`: the caller may add to them.
    """

    categories: tuple[CategoryTile, ...] | None
    newest: tuple[ProductTile, ...] | None
    count: int
    manages: bool


async def show_front(request: PageRequest) -> Page:
    """Show the entrance."""
    categories = await request.api.try_get("/shop/categories", kind=list[ShopCategory])
    asked = target("/shop/products", sort="-added", limit=_NEWEST)
    newest = await request.api.try_get(asked, kind=list[ShopProduct])
    return _page(
        None if categories is None else categories.body,
        None if newest is None else newest.body,
        0 if newest is None else newest.total,
        manages=request.caller.may(MANAGE),
    )


def _page(
    categories: Sequence[ShopCategory] | None,
    newest: Sequence[ShopProduct] | None,
    count: int,
    *,
    manages: bool = False,
) -> Page:
    shown = newest or ()
    return Page(
        "front.html",
        FrontModel(
            categories=None if categories is None else tuple(_tile(one, shown) for one in categories),
            newest=None if newest is None else tuple(map(to_tile, newest[:_NEW_SHOWN])),
            count=count,
            manages=manages,
        ),
    )


def _tile(category: ShopCategory, newest: Sequence[ShopProduct]) -> CategoryTile:
    own = [product for product in newest if product.category == category.id][:_TILE_COVERS]
    names = [product.name for product in own] or [category.name]
    return CategoryTile(category, tuple(map(product_cover, names)))


def _examples() -> Mapping[str, Page]:
    products = example_products()
    categories = [ShopCategory("c-1", "Novels", 24), ShopCategory("c-2", "Travel", 1)]
    long = ShopCategory("c-3", "Books about things that are far longer than those of others " * 3, 9)
    return {
        "usual": _page(categories, products, 25),
        "empty": _page([], [], 0),
        "managed": _page([], [], 0, manages=True),
        "long": _page([*categories, long], [long_product(), *products], 1234),
        "failed": _page(None, None, 0),
    }


PAGES = (
    PageRoute(ROOT, get=show_front, title=_("Bookshop"), section=ROOT, examples=_examples, requires=None),
)
