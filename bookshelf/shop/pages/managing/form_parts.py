"""What the pages of managers share: amounts as they are typed, names of customers, ids of paths."""

from collections.abc import Iterable, Mapping
from typing import Annotated

from msgspec import Meta

from bookshelf.cqrs.errors import Invalid
from bookshelf.shop.money import Money, read_amount
from bookshelf.shop.pages.managing.answers import ListedPerson, ShopCurrency
from bookshelf.site.api_adapters import FieldFault, target
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import _
from bookshelf.site.page_request import PageRequest

ROOT = "/manage"
Note = Annotated[str, Meta(max_length=200)]
_LOCALES = {"en": "en_GB", "de": "de_DE"}
_PAGE_OF_IDS = 100


def locale_of(request: PageRequest) -> str:
    """Return the locale in which amounts are typed and shown."""
    return _LOCALES.get(request.language, "en_GB")


async def currency_of(request: PageRequest) -> str:
    """Return the currency of the shop: that of its products, or by its settings while it has none."""
    found: ShopCurrency = (await request.api.get("/shop/currency", kind=ShopCurrency)).body
    return found.currency


def typed_amount(request: PageRequest, field: str, text: str, currency: str) -> Money:
    """Return the amount that was typed into a field. Raises `FormRefused`."""
    try:
        return read_amount(text, currency, locale_of(request))
    except Invalid:
        detail = request.translate(_("Write an amount, like 19.99."))
        raise FormRefused(FieldFault(field, detail)) from None


async def names_of(request: PageRequest, ids: Iterable[str]) -> Mapping[str, str]:
    """Return the names of accounts by id, as far as there are accounts that can be read."""
    wanted = sorted(set(ids))[:_PAGE_OF_IDS]
    if not wanted or request.caller.account is None:
        return {}
    found = await request.api.try_get(target("/accounts", ids=",".join(wanted)), kind=list[ListedPerson])
    return {} if found is None else {person.id: person.name or person.handle for person in found.body}


def event_name(kind: str) -> str:
    """Return the name in the type of an event: order-placed of shop.order-placed.v1."""
    return kind.split(".")[1] if "." in kind else kind
