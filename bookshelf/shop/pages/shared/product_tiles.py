"""Products as pages show them: with a picture or a generated cover, and the name that stands below it."""

from typing import NamedTuple

import msgspec

from bookshelf.covers.drawing import GeneratedCover, draw_cover
from bookshelf.shop.money import Money
from bookshelf.shop.pages.shared.models import ShopProduct

#: The attribute of a book that names its author.
AUTHOR = "author"


class ProductTile(NamedTuple):
    """A product with the cover that is shown without a picture; `by` is its author, else its supplier."""

    product: ShopProduct
    cover: GeneratedCover
    by: str


def product_cover(name: str, by: str = "") -> GeneratedCover:
    """Return the cover of a product. It follows from the name alone, so that a cart has the same one."""
    return msgspec.structs.replace(draw_cover(name, ""), author=by)


def to_tile(product: ShopProduct) -> ProductTile:
    """Return a product as it is shown."""
    by = str(product.attributes.get(AUTHOR) or product.supplier)
    return ProductTile(product, product_cover(product.name, by), by)


def example_products() -> tuple[ShopProduct, ...]:
    """Return products for examples of pages: usual ones, long texts, several scripts."""
    named = (
        ("Middlemarch", "George Eliot", 1499, "in"),
        ("The Left Hand of Darkness", "Ursula K. Le Guin", 1299, "few"),
        ("Dune", "Frank Herbert", 1099, "in"),
        ("三体", "刘慈欣", 1850, "in"),
        ("One Hundred Years of Solitude", "Gabriel García Márquez", 1600, "out"),
        ("Invisible Cities", "Italo Calvino", 990, "few"),
        ("Austerlitz", "W. G. Sebald", 1200, "in"),
        ("The Dispossessed", "Ursula K. Le Guin", 1150, "in"),
    )
    return tuple(
        ShopProduct(
            id=f"p-{number}",
            name=name,
            price=Money(price, "EUR"),
            availability=availability,
            vat_permille=70,
            supplier="Harbour Books",
            category="c-1",
            attributes={AUTHOR: author},
        )
        for number, (name, author, price, availability) in enumerate(named, start=1)
    )


def long_product() -> ShopProduct:
    """Return a product whose texts are as long as they may be."""
    return ShopProduct(
        id="p-long",
        name="The Strange and Surprising Adventures of a Book with a Title That Does Not End " * 2,
        price=Money(123_456_789, "EUR"),
        availability="few",
        vat_permille=190,
        supplier="Donaudampfschifffahrtsgesellschaftsverlag and Daughters, Publishers to the Trade",
        category="c-1",
        description="A long text about a long book.\n\n" * 12,
        attributes={
            AUTHOR: "Johann Gottlieb Wolfgang Amadeus von und zu Hohenlohe-Schillingsfürst " * 2,
            "pages": 1344,
            "ein sehr langer Name einer Eigenschaft": "x" * 120,
        },
    )
