"""The first question of a checkout: the address. How to pay and the summary follow.

Back and reload change nothing.
"""

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from bookshelf.shop.pages.customer.cart import CART
from bookshelf.shop.pages.customer.checkout_state import CHECKOUT, Checkout, read_checkout
from bookshelf.shop.pages.shared.models import ShownCart
from bookshelf.shop.values import BUY, QUANTITY_MOST
from bookshelf.site.api_adapters import FieldFault, segment
from bookshelf.site.form_decoding import FormRefused
from bookshelf.site.page import Form, Model, Page, PageRoute, Redirect, _
from bookshelf.site.page_request import PageRequest

PAYMENT, SUMMARY = f"{CHECKOUT}/payment", f"{CHECKOUT}/summary"
NOTICES = {
    "ordered": _("Thank you. Your order is placed."),
    "checkout-again": _("Your checkout took too long. Begin it again."),
    "card-again": _("The time of your card is over: it is kept for 15 minutes. Type it in again."),
    "answers-changed": _(
        "Your answers have changed meanwhile, perhaps in another tab. "
        "Nothing was ordered: look at them, and order if they are right."
    ),
    "checkout-over": _("This checkout is over. If your order is not in this list, nothing was ordered."),
}
_ADDRESS_MOST = 400


class CheckoutQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A product to order at once, and how many of it; without one it is the cart."""

    product: str = ""
    quantity: int = 1


class AddressForm(Form):
    """Where the order goes; `keep`: also for the next one, in the account."""

    address: Annotated[str, Meta(max_length=_ADDRESS_MOST)]
    keep: bool = False


class AddressModel(Model):
    """The question of the address; True if there is an account that may keep it."""

    has_account: bool


def begun_checkout(request: PageRequest) -> Checkout | None:
    """Return what the caller has answered so far in this browser; None without a checkout."""
    return read_checkout(request.cookies, request.caller.account)


def nothing_to_order(checkout: Checkout) -> Redirect:
    """Return the way to what cannot be ordered as it is: the product, or the cart."""
    return Redirect(f"/shop/products/{segment(checkout.product)}" if checkout.product else CART)


async def show_address(request: PageRequest) -> Page | Redirect:
    """Ask for the address; without anything to order, go to the cart."""
    query: CheckoutQuery = request.query
    begun = begun_checkout(request)
    if not query.product and not (await request.api.get(CART, kind=ShownCart)).body.lines:
        return Redirect(CART)
    address = begun.address if begun is not None else ""
    has_account = request.caller.account is not None
    if not address and has_account:
        account = await request.api.try_get("/accounts/me")
        address = "" if account is None else str(account.body.get("address") or "")
    return _address_page(address, has_account=has_account)


def _address_page(address: str, *, has_account: bool) -> Page:
    return Page(
        "address.html", AddressModel(has_account=has_account), form=AddressForm(address=address[:400])
    )


async def take_address(request: PageRequest, form: AddressForm) -> Redirect:
    """Keep the address for this order, on request also in the account. Raises `FormRefused`, `ApiProblem`."""
    query: CheckoutQuery = request.query
    if form.keep and request.caller.account is not None:
        await request.api.patch("/accounts/me", {"address": form.address})
    begun = begun_checkout(request)
    fits = begun is not None and (begun.product, begun.quantity) == (query.product, query.quantity)
    if begun is None or not fits:
        quantity = max(1, min(query.quantity, QUANTITY_MOST))
        begun = Checkout(
            key=request.ports.new_id(),
            customer=request.caller.account or "",
            product=query.product,
            quantity=quantity,
        )
    return kept(request, msgspec.structs.replace(begun, address=form.address), PAYMENT, "address")


def kept(request: PageRequest, checkout: Checkout, address: str, field: str) -> Redirect:
    """Return the way to the next question, with what was answered. Raises `FormRefused`."""
    cookie = checkout.cookie(secure=request.secure)
    if cookie is None:
        raise FormRefused(FieldFault(field, request.translate(_("This is too long. Write it shorter."))))
    return Redirect(address, cookies=(cookie,))


EXAMPLE_ADDRESS = "Ann Reader\n12 Shelf Lane\nLondon"


def _address_examples() -> Mapping[str, Page]:
    return {
        "usual": _address_page(EXAMPLE_ADDRESS, has_account=True),
        "empty": _address_page("", has_account=False),
    }


PAGES = (
    PageRoute(
        CHECKOUT,
        get=show_address,
        post=take_address,
        form=AddressForm,
        title=_("Where it goes"),
        params=CheckoutQuery,
        section=CART,
        examples=_address_examples,
        requires=BUY,
    ),
)
