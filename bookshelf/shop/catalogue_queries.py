"""The questions that the catalogue answers: products by category, words, supplier; one; the categories."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Select, exists, false, func, select

from bookshelf.cqrs.errors import Invalid, NotFound
from bookshelf.cqrs.route import Answer, Overseen, QueryRoute
from bookshelf.shop.catalogue import VIEW, categories, product_events, products, words, words_of
from bookshelf.shop.money import Money
from bookshelf.shop.product_rows import availability_of
from bookshelf.shop.values import MANAGE, Attribute
from bookshelf.storage.paging import After, Limit, Sort, count_rows, list_page

#: The id of the category of products whose own category is not there.
OTHER = "other"
_WORDS_MOST = 10
_IDS_MOST = 100
ProductId = Annotated[str, Meta(description="the id of the product", examples=["p-1"])]
CategoryId = Annotated[str, Meta(description="the id of the category", examples=["c-1"])]
Availability = Annotated[Literal["in", "few", "out"], Meta(description="few: up to 5 units")]
_ORDERS = {
    "name": Sort((products.c.name_key,), (str,)),
    "price": Sort((products.c.price,), (int,)),
    "added": Sort((products.c.added,), (str,)),
}
_attributes = msgspec.json.Decoder(dict[str, Attribute]).decode


class ProductAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A product, and what is available of it."""

    id: ProductId
    name: str
    price: Money
    availability: Availability
    vat_permille: int
    added: str
    category: Annotated[str, Meta(description="an id; left out if there is none")] = ""
    supplier: str = ""
    description: str = ""
    image: Annotated[str, Meta(description="the id of a file")] = ""
    attributes: dict[str, Attribute] = msgspec.field(default_factory=dict)
    unique: Annotated[bool, Meta(description="a cart has at most one unit of it")] = False
    removed: Annotated[bool, Meta(description="it is sold no more")] = False
    units: Annotated[int | None, Meta(description="for managers; those that are reserved among them")] = None
    reserved: Annotated[int | None, Meta(description="for managers: units that are held for orders")] = None
    available: Annotated[int | None, Meta(description="for managers: units that an order can have")] = None


class CurrencyAnswer(msgspec.Struct, frozen=True):
    """The currency of all prices."""

    currency: Annotated[str, Meta(description="a code of ISO 4217", examples=["EUR"])]


class CurrencyQuery(msgspec.Struct, forbid_unknown_fields=True):
    """The currency of the shop."""


class ProductEventAnswer(msgspec.Struct, frozen=True):
    """An entry of the history of a product and its stock; `data` is that of the event."""

    type: Annotated[str, Meta(examples=["shop.units-added.v1"])]
    time: str
    actor: str
    data: Annotated[msgspec.Raw, Meta(extra_json_schema={"type": "object"})]


class CategoryAnswer(msgspec.Struct, frozen=True):
    """A category, and the number of its products."""

    id: CategoryId
    name: str
    products: Annotated[int, Meta(description="how many are sold", examples=[7])]


Below = Annotated[int, Meta(ge=1, description="for managers: those with fewer available units")]


class ProductsQuery(Overseen, forbid_unknown_fields=True, rename={"units_below": "units-below"}):
    """Which products, in which order, how many, and from where on.

    With `ids` those that are sold no more are among them.
    """

    category: Annotated[str, Meta(description="an id, or other")] | None = None
    q: Annotated[str, Meta(max_length=200, description="beginnings of words")] | None = None
    supplier: Annotated[str, Meta(description="its whole name")] | None = None
    available: Annotated[bool, Meta(description="true: only those that can be had now")] = False
    units_below: Below | None = None
    ids: Annotated[str, Meta(description="ids, with commas between; up to 100")] | None = None
    sort: Annotated[
        Literal["name", "-name", "price", "-price", "added", "-added"],
        Meta(description="by what; with - the other way round"),
    ] = "name"
    limit: Limit = 24
    after: After | None = None


class ProductQuery(Overseen, forbid_unknown_fields=True, kw_only=True):
    """Which product."""

    id: ProductId


class ProductHistoryQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which product, its events in which order, how many, and from where on."""

    id: ProductId
    sort: Annotated[Literal["time", "-time"], Meta(description="-time: the newest first")] = "time"
    limit: Limit = 100
    after: After | None = None


class CategoriesQuery(msgspec.Struct, forbid_unknown_fields=True):
    """How many categories, and from where on."""

    limit: Limit = 1000
    after: After | None = None


class CategoryQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which category."""

    id: CategoryId


def _shown(row: Any, *, with_numbers: bool = False) -> ProductAnswer:  # noqa: ANN401 (a row)
    numbers = {"units": row.units, "reserved": row.held, "available": row.units - row.held}
    return ProductAnswer(
        id=row.id,
        name=row.name,
        price=Money(row.price, row.currency),
        availability=availability_of(row.units - row.held),
        vat_permille=row.vat_permille,
        added=row.added,
        category=row.category,
        supplier=row.supplier,
        description=row.description,
        image=row.image,
        attributes=_attributes(row.attributes),
        unique=bool(row.one_only),
        removed=bool(row.removed),
        **(numbers if with_numbers else {}),
    )


def _of_category(category: str) -> ColumnElement[bool]:
    own = exists().where(categories.c.id == products.c.category, categories.c.removed == false())
    return ~own if category == OTHER else products.c.category == category


def _read_ids(text: str) -> list[str]:
    ids = text.split(",")
    if len(ids) > _IDS_MOST:
        raise Invalid(f"has up to {_IDS_MOST} ids", field="ids")
    return ids


def _matching(asked: ProductsQuery) -> Select[Any]:
    if asked.ids is None:
        query = select(products).where(products.c.removed == false())
    else:
        query = select(products).where(products.c.id.in_(_read_ids(asked.ids)))
    if asked.category is not None:
        query = query.where(_of_category(asked.category))
    if asked.supplier is not None:
        query = query.where(products.c.supplier == asked.supplier)
    if asked.available:
        query = query.where(products.c.units > products.c.held)
    if asked.units_below is not None:
        if not asked.sees_all:
            raise Invalid("is for managers only", field="units-below")
        query = query.where(products.c.units - products.c.held < asked.units_below)
    for word in words_of(asked.q or "")[:_WORDS_MOST]:
        begins = (words.c.word >= word, words.c.word < word + "\U0010ffff")
        query = query.where(products.c.id.in_(select(words.c.product).where(*begins)))
    return query


def find_products(db: Any, asked: ProductsQuery) -> Answer:  # noqa: ANN401 (the storage's connection)
    """Return a page of the products that match. Raises `Invalid`."""
    query = _matching(asked)
    page = list_page(
        db,
        query,
        products.c.id,
        order=asked.sort,
        sort=_ORDERS[asked.sort.removeprefix("-")],
        limit=asked.limit,
        render=lambda row: _shown(row, with_numbers=asked.sees_all),
        after=asked.after,
    )
    return Answer(page.items, after=page.after, count=count_rows(db, query))


def one_product(db: Any, asked: ProductQuery) -> Answer:  # noqa: ANN401 (as above)
    """Return a product, also one that is sold no more. Raises `NotFound`."""
    row = db.execute(select(products).where(products.c.id == asked.id)).first()
    if row is None:
        raise NotFound("there is no such product")
    # only a manager sees what the versions count, and has them for If-Match: that of the units, then that of
    # the product itself, which an order does not change
    version = f"{row.version}.{row.described}" if asked.sees_all else None
    return Answer(_shown(row, with_numbers=asked.sees_all), version=version)


def product_history(db: Any, asked: ProductHistoryQuery) -> Answer:  # noqa: ANN401 (as above)
    """Return a page of what has happened to a product, in its order. Raises `Invalid`, `NotFound`."""
    if db.execute(select(products.c.id).where(products.c.id == asked.id)).first() is None:
        raise NotFound("there is no such product")
    page = list_page(
        db,
        select(product_events).where(product_events.c.product == asked.id),
        product_events.c.id,
        order=asked.sort,
        sort=Sort((product_events.c.record,), (int,)),
        limit=asked.limit,
        render=lambda row: ProductEventAnswer(row.type, row.time, row.actor, msgspec.Raw(row.data.encode())),
        after=asked.after,
    )
    return Answer(page.items, after=page.after)


def _counted_categories() -> Select[Any]:
    sold = (products.c.category == categories.c.id, products.c.removed == false())
    count = select(func.count()).select_from(products).where(*sold).correlate(categories).scalar_subquery()
    query = select(categories.c.id, categories.c.name, categories.c.version, count.label("sold"))
    return query.where(categories.c.removed == false())


def all_categories(db: Any, asked: CategoriesQuery) -> Answer:  # noqa: ANN401 (as above)
    """Return a page of the categories by name. Raises `Invalid`."""
    page = list_page(
        db,
        _counted_categories(),
        categories.c.id,
        order="name",
        sort=Sort((categories.c.name_key,), (str,)),
        limit=asked.limit,
        render=lambda row: CategoryAnswer(row.id, row.name, row.sold),
        after=asked.after,
    )
    return Answer(page.items, after=page.after)


def one_category(db: Any, asked: CategoryQuery) -> Answer:  # noqa: ANN401 (as above)
    """Return a category. Raises `NotFound`."""
    row = db.execute(_counted_categories().where(categories.c.id == asked.id)).first()
    if row is None:
        raise NotFound("there is no such category")
    # that of the category, for If-Match: a product that comes or goes does not change it
    return Answer(CategoryAnswer(row.id, row.name, row.sold), version=f"{row.version}.{row.sold}")


def first_currency(db: Any) -> str | None:  # noqa: ANN401 (as above)
    """Return the currency of the products; None before the first of them."""
    currency: str | None = db.scalar(select(products.c.currency).limit(1))
    return currency


def currency_route(currency: str) -> QueryRoute:
    """Return the route of the currency of a shop, which is this one before its first product."""

    def shop_currency(db: Any, _asked: CurrencyQuery) -> Answer:  # noqa: ANN401 (as above)
        return Answer(CurrencyAnswer(first_currency(db) or currency))

    return QueryRoute(
        path="/shop/currency",
        summary="The currency of the shop's prices",
        view=VIEW,
        query=shop_currency,
        params=CurrencyQuery,
        returns=CurrencyAnswer,
        requires=None,
    )


CATALOGUE_ROUTES = (
    QueryRoute(
        path="/shop/products",
        summary="Products, by category and words",
        view=VIEW,
        query=find_products,
        params=ProductsQuery,
        returns=list[ProductAnswer],
        counted=True,
        requires=None,
        oversees=MANAGE,
    ),
    QueryRoute(
        path="/shop/products/{id}",
        summary="A product",
        view=VIEW,
        query=one_product,
        params=ProductQuery,
        returns=ProductAnswer,
        requires=None,
        oversees=MANAGE,
    ),
    QueryRoute(
        path="/shop/products/{id}/history",
        summary="What has happened to a product and its stock",
        view=VIEW,
        query=product_history,
        params=ProductHistoryQuery,
        returns=list[ProductEventAnswer],
        requires=MANAGE,
    ),
    QueryRoute(
        path="/shop/categories",
        summary="The categories, by name",
        view=VIEW,
        query=all_categories,
        params=CategoriesQuery,
        returns=list[CategoryAnswer],
        requires=None,
    ),
    QueryRoute(
        path="/shop/categories/{id}",
        summary="A category",
        view=VIEW,
        query=one_category,
        params=CategoryQuery,
        returns=CategoryAnswer,
        requires=None,
    ),
)
