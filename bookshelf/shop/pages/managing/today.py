"""The first page of managers: the orders and revenue of today, what needs work, and the four main jobs."""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

import msgspec

from bookshelf.shop.money import Money
from bookshelf.shop.pages.managing.answers import Earned, OrderCounts
from bookshelf.shop.pages.managing.form_parts import ROOT
from bookshelf.shop.pages.shared.models import ShopProduct
from bookshelf.shop.pages.shared.product_tiles import example_products, long_product
from bookshelf.shop.values import MANAGE
from bookshelf.site.api_adapters import target
from bookshelf.site.page import Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

_LOW, _FEW = 6, 8
#: Why orders are canceled, in short words; others are shown by their code.
REASONS: Mapping[str, str] = {
    "out-of-stock": _("Out of stock"),
    "price-changed": _("Price changed"),
    "unknown-product": _("Unknown product"),
    "no-longer-sold": _("No longer sold"),
    "insufficient-credit": _("Credit is not enough"),
    "unknown-customer": _("No credit yet"),
    "other-currency": _("Credit in another currency"),
    "card-declined": _("Card declined"),
    "total-too-large": _("Total too large"),
    "held-back": _("Held back"),
    "timeout": _("No answer in time"),
    "customer": _("By the customer"),
    "manager": _("By a manager"),
}


class TodayModel(Model):
    """Today; what could not be read is None."""

    counts: OrderCounts | None
    all_counts: OrderCounts | None
    revenue: Money | None
    low: tuple[ShopProduct, ...] | None
    low_count: int
    reasons: Mapping[str, str]
    day: str


async def show_today(request: PageRequest) -> Page:
    """Show today: the day of the shop's time zone, as its orders and its revenue are counted."""
    ever = await request.api.try_get("/shop/orders/summary", kind=OrderCounts)
    zone = request.zone if ever is None else ZoneInfo(ever.body.zone)
    day = request.now.astimezone(zone).date().isoformat()
    today = await request.api.try_get(target("/shop/orders/summary", from_=day, to=day), kind=OrderCounts)
    earned = await request.api.try_get(
        target("/shop/revenue", by="day", from_=day, to=day), kind=list[Earned]
    )
    low = await request.api.try_get(
        target("/shop/products", units_below=_LOW, limit=_FEW), kind=list[ShopProduct]
    )
    return _page(
        None if today is None else today.body,
        None if ever is None else ever.body,
        None if earned is None else _sum(earned.body),
        None if low is None else tuple(low.body),
        0 if low is None else low.total or len(low.body),
        day,
    )


def _sum(earned: list[Earned]) -> Money:
    currency = earned[0].currency if earned else "EUR"
    return Money(sum(one.gross for one in earned), currency)


def _page(
    counts: OrderCounts | None,
    all_counts: OrderCounts | None,
    revenue: Money | None,
    low: tuple[ShopProduct, ...] | None,
    low_count: int,
    day: str = "2026-01-31",
) -> Page:
    model = TodayModel(
        counts=counts,
        all_counts=all_counts,
        revenue=revenue,
        low=low,
        low_count=low_count,
        reasons=REASONS,
        day=day,
    )
    return Page("today.html", model)


def _examples() -> Mapping[str, Page]:
    states = {"PENDING": 2, "APPROVED": 3, "FINALIZED": 14, "CANCELED": 5}
    counts = OrderCounts(
        orders=24, by_state=states, by_reason={"out-of-stock": 3, "timeout": 2}, stalled=2, to_ship=6
    )
    none = OrderCounts(orders=0, by_state={}, by_reason={}, stalled=0, to_ship=0)
    many = OrderCounts(
        orders=123_456,
        by_state=dict.fromkeys(states, 30_864),
        by_reason={**dict.fromkeys(REASONS, 99), "a-new-one": 1},
        stalled=1234,
        to_ship=9876,
    )
    products = tuple(
        msgspec.structs.replace(one, units=number, reserved=1, available=number - 1)
        for number, one in enumerate(example_products()[:4], start=1)
    )
    long = msgspec.structs.replace(long_product(), units=5, reserved=2, available=3)
    return {
        "usual": _page(counts, counts, Money(41_250, "EUR"), products, 4),
        "empty": _page(none, none, Money(0, "EUR"), (), 0),
        "long": _page(many, many, Money(10**12, "EUR"), (long,) * 8, 4321),
        "failed": _page(None, None, None, None, 0),
    }


PAGES = (
    PageRoute(ROOT, get=show_today, title=_("Today"), section=ROOT, examples=_examples, requires=MANAGE),
)
