"""The units of a product: more have come in, or they were counted; and the removal of a product."""

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from bookshelf.shop.pages.managing.answers import ProductEvent
from bookshelf.shop.pages.managing.form_parts import Note, event_name
from bookshelf.shop.pages.managing.products import PRODUCTS, example_stock, long_stock
from bookshelf.shop.pages.shared.example_orders import EXAMPLE_TIME
from bookshelf.shop.pages.shared.models import ShopProduct
from bookshelf.shop.values import MANAGE
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

NOTICES = {
    "units-added": _("The new units are there."),
    "units-set": _("The number of units is set."),
    "product-removed": _("The product is no longer sold."),
}
#: What happens to units, in words; other events are of no interest here.
_EVENTS: Mapping[str, str] = {
    "product-added": _("Added to the shop"),
    "product-repriced": _("Has another price"),
    "units-added": _("More have come in"),
    "units-set": _("Counted"),
    "stock-reserved": _("Reserved by an order"),
    "stock-released": _("Free again"),
    "stock-taken": _("Sold"),
    "units-returned": _("Returned"),
}
#: How many events are shown, and how many of the newest are read: not all of them are shown.
_SHOWN, _MOST = 10, 100


class UnitsForm(Form):
    """A number of units: `way` is add or set."""

    number: Annotated[int, Meta(ge=0, le=10**6)]
    way: str = "add"
    why: Note = ""


class UnitsModel(Model):
    """The units of a product, and what has happened to them last: texts and events; None if unreadable."""

    product: ShopProduct
    steps: tuple[tuple[str, ProductEvent], ...] | None


class RemoveProductModel(Model):
    """A product to remove."""

    product: ShopProduct


def _path(request: PageRequest) -> str:
    return f"/shop/products/{segment(request.path['id'])}"


async def show_units(request: PageRequest) -> Page:
    """Show the units of a product, and ask for others."""
    found = await request.api.get(_path(request), kind=ShopProduct)
    history = await request.api.try_get(
        target(f"{_path(request)}/history", sort="-time", limit=_MOST), kind=list[ProductEvent]
    )
    return _page(found.body, None if history is None else history.body, found.version)


def _page(product: ShopProduct, history: list[ProductEvent] | None, version: str | None = '"1"') -> Page:
    steps = None
    if history is not None:
        named = ((_EVENTS.get(event_name(one.type)), one) for one in history)
        steps = tuple((text, one) for text, one in named if text)[:_SHOWN]
    form = UnitsForm(number=0)
    return Page("units.html", UnitsModel(product=product, steps=steps), form=form, version=version)


async def change_units(request: PageRequest, form: UnitsForm) -> Redirect:
    """Add units, or set them if nothing came between. Raises `ApiProblem`."""
    why = {"why": form.why} if form.why else {}
    if form.way == "set":
        body = {"units": form.number, **why}
        await request.api.put(f"{_path(request)}/units", body, version=request.version)
        return Redirect(PRODUCTS, notice="units-set")
    await request.api.post(f"{_path(request)}/units", {"add": form.number, **why})
    return Redirect(PRODUCTS, notice="units-added")


async def show_removal(request: PageRequest) -> Page:
    """Ask whether a product is sold no more."""
    found = await request.api.get(_path(request), kind=ShopProduct)
    return Page("remove_product.html", RemoveProductModel(product=found.body))


async def remove_product(request: PageRequest, _form: None) -> Redirect:
    """Sell a product no more. Raises `ApiProblem`."""
    await request.api.delete(_path(request))
    return Redirect(PRODUCTS, notice="product-removed")


def _examples() -> Mapping[str, Page]:
    events = [
        ProductEvent(
            type=f"shop.{name}.v1", time=EXAMPLE_TIME, actor="ann", data={"units": 3, "order": "o-1"}
        )
        for name in ("units-added", "stock-reserved", "stock-taken", "product-changed")
    ]
    return {
        "usual": _page(example_stock()[1], events),
        "empty": _page(example_stock()[0], []),
        "long": _page(long_stock(), events * 6),
        "failed": _page(example_stock()[1], None),
    }


def _removal_examples() -> Mapping[str, Page]:
    return {
        name: Page("remove_product.html", RemoveProductModel(product=product))
        for name, product in (("usual", example_stock()[4]), ("long", long_stock()))
    }


PAGES = (
    PageRoute(
        f"{PRODUCTS}/{{id}}/units",
        get=show_units,
        post=change_units,
        form=UnitsForm,
        title=_("Units"),
        section=PRODUCTS,
        examples=_examples,
        requires=MANAGE,
    ),
    PageRoute(
        f"{PRODUCTS}/{{id}}/remove",
        get=show_removal,
        post=remove_product,
        title=_("Remove the product"),
        section=PRODUCTS,
        examples=_removal_examples,
        requires=MANAGE,
    ),
)
