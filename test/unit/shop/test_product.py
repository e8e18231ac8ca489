"""Products and categories: added once, changed, removed for good."""

from support.spec import given

from bookshelf.cqrs.errors import Conflict, NotFound
from bookshelf.shop import events
from bookshelf.shop.category import CATEGORY, AddCategory, RemoveCategory, RenameCategory
from bookshelf.shop.money import Money
from bookshelf.shop.product import PRODUCT, AddProduct, ChangeProduct, RemoveProduct
from bookshelf.shop.values import ProductDetails

DETAILS = ProductDetails(name="Dune", category="c-1", vat_permille=70)
PRICE = Money(1999, "EUR")
ADDED = events.ProductAdded(details=DETAILS, price=PRICE, units=3)
REMOVED = events.ProductRemoved()


def test_a_product_is_added_once() -> None:
    add = AddProduct(details=DETAILS, price=PRICE, units=3)
    given(PRODUCT).when(add).then(ADDED)
    given(PRODUCT, ADDED).when(add).refused(Conflict, field="id")
    given(PRODUCT, ADDED, REMOVED).when(add).refused(Conflict, field="id")


def test_a_change_has_only_what_differs() -> None:
    renamed = ProductDetails(name="Dune Messiah", category="c-1", vat_permille=70)
    changed, repriced = events.ProductChanged(details=renamed), events.ProductRepriced(price=Money(5, "EUR"))
    given(PRODUCT, ADDED).when(ChangeProduct(name="Dune Messiah")).then(changed)
    given(PRODUCT, ADDED).when(ChangeProduct(price=Money(5, "EUR"))).then(repriced)
    given(PRODUCT, ADDED).when(ChangeProduct(name="Dune Messiah", price=Money(5, "EUR"))).then(
        changed, repriced
    )
    given(PRODUCT, ADDED).when(ChangeProduct(name="Dune", price=PRICE)).then()
    given(PRODUCT, ADDED, changed, repriced).when(ChangeProduct(name="Dune Messiah")).then()


def test_a_removed_product_stays_removed() -> None:
    given(PRODUCT, ADDED).when(RemoveProduct()).then(REMOVED)
    given(PRODUCT, ADDED, REMOVED).when(RemoveProduct()).then()
    given(PRODUCT, ADDED, REMOVED).when(ChangeProduct(name="X")).refused(NotFound)
    given(PRODUCT).when(RemoveProduct()).refused(NotFound)
    given(PRODUCT).when(ChangeProduct(name="X")).refused(NotFound)


def test_a_category_is_added_renamed_and_removed() -> None:
    added = events.CategoryAdded(name="Novels")
    given(CATEGORY).when(AddCategory(name="Novels")).then(added)
    given(CATEGORY, added).when(AddCategory(name="Novels")).refused(Conflict, field="id")
    given(CATEGORY, added).when(RenameCategory(name="Fiction")).then(events.CategoryRenamed(name="Fiction"))
    given(CATEGORY, added).when(RenameCategory(name="Novels")).then()
    given(CATEGORY, added).when(RemoveCategory()).then(events.CategoryRemoved())
    removed = (added, events.CategoryRemoved())
    given(CATEGORY, *removed).when(RemoveCategory()).then()
    given(CATEGORY, *removed).when(RenameCategory(name="X")).refused(NotFound)
    given(CATEGORY, *removed).when(AddCategory(name="X")).refused(Conflict, field="id")
    given(CATEGORY).when(RemoveCategory()).refused(NotFound)
