"""The view of the catalogue: products with what is available of them, found by words, and categories."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    bindparam,
    delete,
    insert,
    update,
)

from bookshelf.cqrs.message import Event
from bookshelf.cqrs.view import Change, Handler, Recorded, View
from bookshelf.shop import events
from bookshelf.shop.events import EVENTS, TOPIC
from bookshelf.shop.product_rows import first_stock, stock_columns, stock_handlers
from bookshelf.shop.values import ProductDetails
from bookshelf.storage.statements import TEXT

TABLES = MetaData()
products = Table(
    "catalogue_product",
    TABLES,
    Column("id", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("name_key", TEXT, nullable=False),
    Column("description", TEXT, nullable=False),
    Column("supplier", TEXT, nullable=False),
    Column("category", TEXT, nullable=False),
    Column("vat_permille", Integer, nullable=False),
    Column("one_only", Boolean, nullable=False),
    Column("attributes", TEXT, nullable=False),
    Column("image", TEXT, nullable=False),
    *stock_columns(),
    Column("added", TEXT, nullable=False),
    # the offset of the newest event of the product itself, without those of its stock
    Column("described", BigInteger, nullable=False),
)
Index("catalogue_by_name", products.c.removed, products.c.name_key, products.c.id)
Index("catalogue_by_price", products.c.removed, products.c.price, products.c.id)
Index("catalogue_by_day", products.c.removed, products.c.added, products.c.id)
Index("catalogue_of_category", products.c.category, products.c.removed)
words = Table(
    "catalogue_word",
    TABLES,
    Column("product", TEXT, primary_key=True),
    Column("word", TEXT, primary_key=True),
)
Index("catalogue_by_word", words.c.word, words.c.product)
categories = Table(
    "catalogue_category",
    TABLES,
    Column("id", TEXT, primary_key=True),
    Column("name", TEXT, nullable=False),
    Column("name_key", TEXT, nullable=False),
    Column("removed", Boolean, nullable=False),
    Column("version", BigInteger, nullable=False),
)
Index("catalogue_category_by_name", categories.c.removed, categories.c.name_key, categories.c.id)

product_events = Table(
    "catalogue_event",
    TABLES,
    Column("product", TEXT, primary_key=True),
    Column("record", BigInteger, primary_key=True, autoincrement=False),
    Column("id", TEXT, nullable=False),
    Column("type", TEXT, nullable=False),
    Column("time", TEXT, nullable=False),
    Column("actor", TEXT, nullable=False),
    Column("data", TEXT, nullable=False),
)

_row: Any = bindparam("row")
_ADD = insert(products)
_VALUES = (
    "name",
    "name_key",
    "description",
    "supplier",
    "category",
    "vat_permille",
    "one_only",
    "attributes",
)
_CHANGE = (
    update(products)
    .where(products.c.id == _row)
    .values(
        {name: bindparam(f"new_{name}") for name in (*_VALUES, "image")} | {"version": bindparam("offset")}
    )
)
_ADD_WORD = insert(words)
_CLEAR_WORDS = delete(words).where(words.c.product == _row)
_KEEP = insert(product_events)
_ADD_CATEGORY = insert(categories)
_RENAME_CATEGORY = (
    update(categories)
    .where(categories.c.id == _row)
    .values(name=bindparam("text"), name_key=bindparam("key"), version=bindparam("offset"))
)
_REMOVE_CATEGORY = (
    update(categories).where(categories.c.id == _row).values(removed=True, version=bindparam("offset"))
)
_DESCRIBE = update(products).where(products.c.id == _row).values(described=bindparam("offset"))

_WORD_MAX = 40
_WORDS_MAX = 500
_WORD = re.compile(r"\w+")


def fold_words(text: str) -> str:
    """Return a text without case and accents, as it is searched and sorted."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def words_of(text: str) -> list[str]:
    """Return the words that a text is found by, each once."""
    found = (word[:_WORD_MAX] for word in _WORD.findall(fold_words(text)))
    return list(dict.fromkeys(found))[:_WORDS_MAX]


def _details(details: ProductDetails) -> Mapping[str, object]:
    return {
        "name": details.name,
        "name_key": fold_words(details.name),
        "description": details.description,
        "supplier": details.supplier,
        "category": details.category,
        "vat_permille": details.vat_permille,
        "one_only": details.unique,
        "attributes": msgspec.json.encode(details.attributes).decode(),
        "image": details.image,
    }


def _words(product: str, details: ProductDetails) -> Iterable[Change]:
    for word in words_of(f"{details.name} {details.supplier} {details.description}"):
        yield _ADD_WORD, {"product": product, "word": word}


def _added(event: events.ProductAdded, recorded: Recorded) -> Iterable[Change]:
    row = {"id": recorded.subject, "added": recorded.time.isoformat(), **first_stock(event, recorded)}
    yield _ADD, {**row, **_details(event.details), "described": recorded.offset}
    yield from _words(recorded.subject, event.details)


def _changed(event: events.ProductChanged, recorded: Recorded) -> Iterable[Change]:
    values = {f"new_{name}": value for name, value in _details(event.details).items()}
    yield _CHANGE, {**values, "row": recorded.subject, "offset": recorded.offset}
    yield _CLEAR_WORDS, {"row": recorded.subject}
    yield from _words(recorded.subject, event.details)


def _category_added(event: events.CategoryAdded, recorded: Recorded) -> Iterable[Change]:
    named = {"name": event.name, "name_key": fold_words(event.name)}
    yield _ADD_CATEGORY, {"id": recorded.subject, **named, "removed": False, "version": recorded.offset}


def _category_renamed(event: events.CategoryRenamed, recorded: Recorded) -> Iterable[Change]:
    named = {"text": event.name, "key": fold_words(event.name)}
    yield _RENAME_CATEGORY, {"row": recorded.subject, **named, "offset": recorded.offset}


def _category_removed(_event: Event, recorded: Recorded) -> Iterable[Change]:
    yield _REMOVE_CATEGORY, {"row": recorded.subject, "offset": recorded.offset}


def _kept(event: Event, recorded: Recorded) -> Iterable[Change]:
    """Keep an event of a product or of its stock, and what lists need of it."""
    yield from _MOVES[type(event)](event, recorded)
    if isinstance(event, events.PRODUCT_EVENTS) and not isinstance(event, events.ProductAdded):
        yield _DESCRIBE, {"row": recorded.subject, "offset": recorded.offset}
    yield (
        _KEEP,
        {
            "product": recorded.subject,
            "record": recorded.offset,
            "id": recorded.id,
            "type": recorded.type,
            "time": recorded.time.isoformat(),
            "actor": recorded.actor,
            "data": recorded.data.decode(),
        },
    )


_MOVES: Mapping[type[Any], Handler] = {
    events.ProductAdded: _added,
    events.ProductChanged: _changed,
    **stock_handlers(products),
}
HANDLERS: Mapping[type[Any], Handler] = {
    **dict.fromkeys(_MOVES, _kept),
    events.CategoryAdded: _category_added,
    events.CategoryRenamed: _category_renamed,
    events.CategoryRemoved: _category_removed,
}
VIEW = View(name="catalogue", topic=TOPIC, catalogue=EVENTS, tables=TABLES, handlers=HANDLERS, keyed=True)
