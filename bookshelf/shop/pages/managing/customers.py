"""Customers: what they have of credit; one with the changes of it and the orders, and more credit for it."""

from collections.abc import Mapping, Sequence

import msgspec

from bookshelf.shop.money import Money
from bookshelf.shop.pages.managing.answers import CreditEntry, ShopCurrency
from bookshelf.shop.pages.managing.form_parts import (
    ROOT,
    Note,
    event_name,
    names_of,
    typed_amount,
)
from bookshelf.shop.pages.managing.orders import ManagedOrder, endless_order, example_orders, to_row
from bookshelf.shop.pages.shared.example_orders import EXAMPLE_TIME
from bookshelf.shop.pages.shared.models import ShopCredit, ShopOrder
from bookshelf.shop.pages.shared.order_texts import STATES
from bookshelf.shop.values import MANAGE
from bookshelf.site.api_adapters import segment, target
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

CUSTOMERS = f"{ROOT}/customers"
NOTICES = {"credit-granted": _("The credit is granted."), "credit-set": _("The credit is set.")}
_PAGE, _ENTRIES, _ORDERS = 30, 20, 10
_BY_ID, _LEAST, _MOST = _SORTS = ("id", "balance", "-balance")
_EVENTS: Mapping[str, str] = {
    "credit-opened": _("Opened"),
    "credit-granted": _("Granted"),
    "credit-set": _("Set"),
    "credit-reserved": _("Reserved for an order"),
    "credit-released": _("Free again"),
    "credit-taken": _("Taken for an order"),
    "credit-returned": _("Returned"),
}


class CustomerSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Which customers: a handle, an e-mail address or an id; in which order; and from where on.

    `sort` is id, balance or -balance.
    """

    q: str = ""
    sort: str = _BY_ID
    after: str = ""

    def address(self, **changes: str) -> str:
        """Return the address of a list of the same customers, from its beginning on."""
        asked = msgspec.structs.replace(self, **{"after": "", **changes})
        sort = None if asked.sort == _BY_ID else asked.sort
        return target(CUSTOMERS, q=asked.q, sort=sort, after=asked.after)


_ALL = CustomerSearch()


class ListedCustomer(msgspec.Struct, frozen=True):
    """A customer with the name of the account."""

    credit: ShopCredit
    name: str


class CustomersModel(Model):
    """A page of customers."""

    rows: tuple[ListedCustomer, ...]
    words: str
    sort: str
    sort_address: str
    more_address: str
    first_address: str


class GrantForm(Form):
    """An amount of credit: `way` is grant or set, and why."""

    amount: str
    way: str = "grant"
    why: Note = ""


class CustomerModel(Model):
    """A customer: credit, its changes with their texts, orders; parts that cannot be read are None.

    `anew`: the currency of the shop, if the credit was opened in another one.
    """

    customer: ListedCustomer
    entries: tuple[tuple[str, CreditEntry], ...] | None
    orders: tuple[ManagedOrder, ...] | None
    states: Mapping[str, str]
    anew: str = ""


async def show_customers(request: PageRequest) -> Page:
    """Show the customers."""
    asked: CustomerSearch = request.query
    words = asked.q.strip()
    query = msgspec.structs.replace(asked, q=words, sort=asked.sort if asked.sort in _SORTS else _BY_ID)
    ids = None
    if words:
        people = await request.api.try_get(target("/accounts", q=words))
        found = [] if people is None else [str(one["id"]) for one in people.body]
        ids = ",".join(found) or words
    credits_ = await request.api.get(
        target("/shop/customers", ids=ids, sort=query.sort, limit=_PAGE, after=query.after),
        kind=list[ShopCredit],
    )
    names = await names_of(request, (one.customer for one in credits_.body))
    return _list_page(credits_.body, names, query, credits_.cursor)


def _list_page(
    found: Sequence[ShopCredit],
    names: Mapping[str, str],
    query: CustomerSearch = _ALL,
    cursor: str | None = None,
) -> Page:
    rows = tuple(ListedCustomer(one, names.get(one.customer, one.customer)) for one in found)
    model = CustomersModel(
        rows=rows,
        words=query.q,
        sort=query.sort,
        sort_address=query.address(sort=_LEAST if query.sort == _MOST else _MOST),
        more_address="" if cursor is None else query.address(after=cursor),
        first_address=query.address() if query.after else "",
    )
    return Page("customers.html", model)


def _path(request: PageRequest) -> str:
    return f"/shop/customers/{segment(request.path['id'])}"


async def show_customer(request: PageRequest) -> Page:
    """Show a customer."""
    api, customer = request.api, request.path["id"]
    found = await api.get(f"{_path(request)}/credit", kind=ShopCredit)
    entries = await api.try_get(target(f"{_path(request)}/entries", limit=_ENTRIES), kind=list[CreditEntry])
    orders = await api.try_get(target("/shop/orders", customer=customer, limit=_ORDERS), kind=list[ShopOrder])
    return _page(
        found.body,
        None if entries is None else entries.body,
        None if orders is None else orders.body,
        found.version,
        await names_of(request, (customer,)),
        await _anew(request, found.body),
    )


async def _anew(request: PageRequest, credit: ShopCredit) -> str:
    """Return the currency of the shop; empty if it is that of a credit, or cannot be read just now."""
    found = await request.api.try_get("/shop/currency", kind=ShopCurrency)
    currency = "" if found is None else found.body.currency
    return "" if currency == credit.balance.currency else currency


def _page(
    credit: ShopCredit,
    entries: Sequence[CreditEntry] | None,
    orders: Sequence[ShopOrder] | None,
    version: str | None = '"1"',
    names: Mapping[str, str] | None = None,
    anew: str = "",
) -> Page:
    named = names or {}
    name = named.get(credit.customer, credit.customer)
    texts = None
    if entries is not None:
        texts = tuple((_EVENTS.get(event_name(one.type), one.type), one) for one in entries)
    model = CustomerModel(
        customer=ListedCustomer(credit, name),
        entries=texts,
        orders=None if orders is None else tuple(to_row(one, named) for one in orders),
        states=STATES,
        anew=anew,
    )
    return Page("customer.html", model, title=name, form=GrantForm(amount=""), version=version)


async def change_credit(request: PageRequest, form: GrantForm) -> Redirect:
    """Grant credit, or set it if nothing came between. Raises `ApiProblem`, `FormRefused`."""
    credit: ShopCredit = (await request.api.get(f"{_path(request)}/credit", kind=ShopCredit)).body
    anew = await _anew(request, credit) if form.way == "set" else ""
    amount = typed_amount(request, "amount", form.amount, anew or credit.balance.currency)
    body = {"amount": amount, **({"why": form.why} if form.why else {})}
    address = f"{CUSTOMERS}/{segment(request.path['id'])}"
    if form.way == "set":
        await request.api.put(f"{_path(request)}/credit", body, version=request.version)
        return Redirect(address, notice="credit-set")
    await request.api.post(f"{_path(request)}/credit/grants", body)
    return Redirect(address, notice="credit-granted")


def _credit(customer: str, balance: int, reserved: int = 0) -> ShopCredit:
    amounts = (balance, reserved, balance - reserved)
    return ShopCredit(customer, *(Money(amount, "EUR") for amount in amounts))


def _examples() -> Mapping[str, Page]:
    names = {"a-1": "Ann Reader", "a-2": "Bo"}
    usual = (_credit("a-1", 20_000, 4297), _credit("a-2", 500), _credit("a-reader", 0))
    long = _credit("a-3", 10**12, 10**11)
    return {
        "usual": _list_page(usual, names),
        "empty": _list_page((), {}),
        "none": _list_page((), {}, CustomerSearch(q="zed@example.org")),
        "long": _list_page(
            (long, *usual),
            {"a-3": "Ann Eleonora Wilhelmina " * 8},
            CustomerSearch(q="ann", sort=_MOST),
            "next",
        ),
    }


def _customer_examples() -> Mapping[str, Page]:
    entries = [
        CreditEntry(
            type=f"shop.{name}.v1", amount=amount, time=EXAMPLE_TIME, actor="ann", order=order, why=why
        )
        for name, amount, order, why in (
            ("credit-taken", -4297, "o-1", ""),
            ("credit-reserved", 4297, "o-1", ""),
            ("credit-granted", 10_000, "", "a book came with torn pages"),
            ("something-new", 0, "", "a very long reason " * 10),
        )
    ]
    names = {"a-1": "Ann Reader"}
    credit = _credit("a-1", 20_000, 4297)
    long = {"a-3": "Ann Eleonora Wilhelmina " * 8}
    orders = example_orders()
    return {
        "usual": _page(credit, entries[:3], orders, names=names),
        "empty": _page(credit, (), (), names=names),
        "long": _page(_credit("a-3", 10**12, 10**11), entries * 5, (endless_order(), *orders), names=long),
        "failed": _page(credit, None, None),
        "other currency": _page(_credit("a-2", 10_000), entries[2:3], (), names=names, anew="USD"),
    }


PAGES = (
    PageRoute(
        CUSTOMERS,
        get=show_customers,
        title=_("Customers"),
        params=CustomerSearch,
        section=CUSTOMERS,
        examples=_examples,
        requires=MANAGE,
    ),
    PageRoute(
        f"{CUSTOMERS}/{{id}}",
        get=show_customer,
        post=change_credit,
        form=GrantForm,
        title=_("Customer"),
        section=CUSTOMERS,
        examples=_customer_examples,
        requires=MANAGE,
    ),
)
