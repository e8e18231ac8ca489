"""Series without gaps, and the invoice of a final order."""

from support.fixed_infrastructure import NOW
from support.spec import given

from bookshelf.cqrs.errors import Conflict
from bookshelf.shop.invoice import INVOICE, WriteInvoice
from bookshelf.shop.money import Money
from bookshelf.shop.order_events import OrderFinalized, OrderPlaced, Terms
from bookshelf.shop.payment_events import InvoiceWritten, Numbered
from bookshelf.shop.series import SERIES, Number
from bookshelf.shop.values import BoughtLine, OrderLine, VatSum

TERMS, TOTAL = Terms(customer="a-1"), Money(2140, "EUR")
LINE = BoughtLine(product="p-1", quantity=2, name="Dune", price=Money(1070, "EUR"), vat_permille=70)
PLACED = OrderPlaced(
    terms=TERMS, lines=(OrderLine("p-1", 2),), total=None, invoice_address="\x02sealed", at=NOW
)
FINAL = OrderFinalized(terms=TERMS, lines=(LINE,), total=TOTAL, at=NOW)
WRITE = WriteInvoice(number="2026-000001", seller="Bookshelf", seller_address="1 Shelf Street")


def test_the_numbers_of_a_series_have_no_gap() -> None:
    past: list[Numbered] = []
    for number in (1, 2, 3):
        numbered = Numbered(order=f"o-{number}", number=number)
        given(SERIES, *past).when(Number(order=f"o-{number}")).then(numbered)
        past.append(numbered)


def test_an_invoice_has_all_that_the_order_had_at_its_end() -> None:
    written = InvoiceWritten(
        number="2026-000001",
        customer="a-1",
        address="\x02sealed",
        seller="Bookshelf",
        seller_address="1 Shelf Street",
        lines=(LINE,),
        vat=(VatSum(permille=70, gross=2140, vat=140, net=2000),),
        total=TOTAL,
        ordered=NOW,
        finalized=NOW,
    )
    given(INVOICE, PLACED, FINAL).when(WRITE).then(written)
    given(INVOICE, PLACED, FINAL, written).when(WRITE).then()


def test_only_a_final_order_has_an_invoice() -> None:
    given(INVOICE).when(WRITE).refused(Conflict)
    given(INVOICE, PLACED).when(WRITE).refused(Conflict)
