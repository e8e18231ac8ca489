"""Categories: all of them, adding one, renaming one, and removing one with its products moved."""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.shop.pages.managing.form_parts import ROOT
from bookshelf.shop.pages.shared.models import ShopCategory, ShopProduct
from bookshelf.shop.pages.shared.product_tiles import example_products, long_product
from bookshelf.shop.values import MANAGE
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

CATEGORIES = f"{ROOT}/categories"
_API = "/shop/categories"
_NAMED = 5
NOTICES = {
    "category-added": _("The category is added."),
    "category-renamed": _("The category has its new name."),
    "category-removed": _("The category is removed."),
}


class CategorySearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which categories: those with these letters in their names."""

    q: str = ""


class CategoryForm(Form):
    """The name of a category."""

    name: Annotated[str, Meta(min_length=1, max_length=200, examples=["Novels"])]


class RemoveCategoryForm(Form):
    """Where the products of a category go."""

    move_to: str = ""


class CategoriesModel(Model):
    """The categories that match, and how many there are."""

    categories: tuple[ShopCategory, ...]
    count: int
    words: str


class CategoryModel(Model):
    """A category to rename."""

    category: ShopCategory


class RemoveCategoryModel(Model):
    """A category to remove, some of its products, and the others, to which they can be moved."""

    category: ShopCategory
    products: tuple[ShopProduct, ...]
    others: tuple[tuple[str, str], ...]


async def all_categories(request: PageRequest) -> tuple[ShopCategory, ...]:
    """Return all categories by name. Raises `ApiProblem`."""
    return tuple((await request.api.get(_API, kind=list[ShopCategory])).body)


async def show_categories(request: PageRequest) -> Page:
    """Show the categories."""
    query: CategorySearch = request.query
    return _list_page(await all_categories(request), query.q)


def _list_page(found: tuple[ShopCategory, ...], words: str = "") -> Page:
    wanted = words.strip().casefold()
    shown = tuple(one for one in found if wanted in one.name.casefold())
    model = CategoriesModel(categories=shown, count=len(found), words=words)
    return Page("categories.html", model)


async def show_new_category(_request: PageRequest) -> Page:
    """Ask for the name of a new category."""
    return Page("new_category.html", Model())


async def add_category(request: PageRequest, form: CategoryForm) -> Redirect:
    """Add a category. Raises `ApiProblem`."""
    await request.api.post(_API, form.to_body())
    return Redirect(CATEGORIES, notice="category-added")


async def _one(request: PageRequest) -> tuple[ShopCategory, str | None]:
    """Return a category and its version."""
    path = f"{_API}/{segment(request.path['id'])}"
    found = await request.api.get(path, kind=ShopCategory)
    return found.body, found.version


async def show_category(request: PageRequest) -> Page:
    """Ask for the new name of a category."""
    return _edit_page(*await _one(request))


def _edit_page(category: ShopCategory, version: str | None = '"1"') -> Page:
    form = CategoryForm(name=category.name)
    return Page("edit_category.html", CategoryModel(category=category), form=form, version=version)


async def rename_category(request: PageRequest, form: CategoryForm) -> Redirect:
    """Rename a category, if nothing came between. Raises `ApiProblem`."""
    path = f"{_API}/{segment(request.path['id'])}"
    await request.api.patch(path, form.to_body(), version=request.version)
    return Redirect(CATEGORIES, notice="category-renamed")


async def show_removal(request: PageRequest) -> Page:
    """Ask whether a category is removed, and where its products go."""
    category, _version = await _one(request)
    asked = target("/shop/products", category=category.id, limit=_NAMED)
    products = await request.api.get(asked, kind=list[ShopProduct])
    return _removal_page(category, tuple(products.body), await all_categories(request))


def _removal_page(
    category: ShopCategory, products: tuple[ShopProduct, ...], others: tuple[ShopCategory, ...]
) -> Page:
    model = RemoveCategoryModel(
        category=category,
        products=products,
        others=tuple((one.id, one.name) for one in others if one.id != category.id),
    )
    return Page("remove_category.html", model)


async def remove_category(request: PageRequest, form: RemoveCategoryForm) -> Redirect:
    """Remove a category; its products go to another one. Raises `ApiProblem`."""
    path = f"{_API}/{segment(request.path['id'])}"
    await request.api.delete(target(path, move_to=form.move_to))
    return Redirect(CATEGORIES, notice="category-removed")


def _categories() -> tuple[ShopCategory, ...]:
    return (ShopCategory("c-1", "Novels", 8), ShopCategory("c-2", "Travel", 1), ShopCategory("c-3", "Art", 0))


def _examples() -> Mapping[str, Page]:
    long = ShopCategory("c-long", "A category with a name that does not end " * 4, 12_345)
    many = tuple(ShopCategory(f"c-{n}", f"Category {n}", n) for n in range(20))
    return {
        "usual": _list_page(_categories()),
        "empty": _list_page(()),
        "none": _list_page(_categories(), "poems"),
        "long": _list_page((long, *many)),
    }


def _edit_examples() -> Mapping[str, Page]:
    long = ShopCategory("c-long", "A category with a name that does not end " * 4, 12_345)
    return {"usual": _edit_page(_categories()[0]), "long": _edit_page(long)}


def _removal_examples() -> Mapping[str, Page]:
    novels, travel, empty = _categories()
    products = example_products()[:_NAMED]
    return {
        "usual": _removal_page(novels, products, _categories()),
        "empty": _removal_page(empty, (), _categories()),
        "alone": _removal_page(travel, products[:1], (travel,)),
        "long": _removal_page(novels, (long_product(), *products), _categories()),
    }


PAGES = (
    PageRoute(
        CATEGORIES,
        get=show_categories,
        title=_("Categories"),
        params=CategorySearch,
        section=CATEGORIES,
        examples=_examples,
        requires=MANAGE,
    ),
    PageRoute(
        f"{CATEGORIES}/add",
        get=show_new_category,
        post=add_category,
        form=CategoryForm,
        title=_("Add a category"),
        section=CATEGORIES,
        examples=lambda: {"usual": Page("new_category.html", Model())},
        requires=MANAGE,
    ),
    PageRoute(
        f"{CATEGORIES}/{{id}}",
        get=show_category,
        post=rename_category,
        form=CategoryForm,
        title=_("Rename the category"),
        section=CATEGORIES,
        examples=_edit_examples,
        requires=MANAGE,
    ),
    PageRoute(
        f"{CATEGORIES}/{{id}}/remove",
        get=show_removal,
        post=remove_category,
        form=RemoveCategoryForm,
        title=_("Remove the category"),
        section=CATEGORIES,
        examples=_removal_examples,
        requires=MANAGE,
    ),
)
