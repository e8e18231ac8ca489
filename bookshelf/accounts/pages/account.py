"""The page of a person's account: names and addresses, devices, and the ways to change them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bookshelf.accounts.pages.credit import CreditSection, example_credit, read_credit
from bookshelf.accounts.pages.devices import Device, read_program
from bookshelf.accounts.pages.models import PersonAccount, PersonSession
from bookshelf.accounts.pages.signing_in import no_accounts
from bookshelf.site.page import ACCOUNT, Model, Page, PageRoute, _
from bookshelf.site.page_request import PageRequest

_SINCE = datetime(2026, 1, 31, 20, 31, tzinfo=UTC)


class AccountModel(Model):
    """The account, its devices, and its credit; None if they cannot be read now, as without a shop."""

    account: PersonAccount
    credit: CreditSection | None
    devices: tuple[Device, ...] | None


async def show_account(request: PageRequest) -> Page:
    """Show the account of the person."""
    if request.caller.account is None:
        return no_accounts()
    account = await request.api.get("/accounts/me", kind=PersonAccount)
    sessions = await request.api.try_get("/accounts/sessions", kind=list[PersonSession])
    credit = await read_credit(request)
    return _page(account.body, None if sessions is None else sessions.body, credit)


def _page(
    account: PersonAccount, sessions: Sequence[PersonSession] | None, credit: CreditSection | None = None
) -> Page:
    devices = None if sessions is None else tuple(map(_device, sessions))
    return Page("account.html", AccountModel(account=account, devices=devices, credit=credit))


def _device(session: PersonSession) -> Device:
    program = read_program(session.program)
    return Device(session.id, program, session.used, session.network, session.this)


def _account(**fields: Any) -> PersonAccount:  # noqa: ANN401 (fields of an account)
    shown = {"handle": "ann", "name": "Ann Reader", "email": "ann@example.org", "since": _SINCE, **fields}
    return PersonAccount(**shown)


def _examples() -> Mapping[str, Page]:
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    safari = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/18.5 Mobile/15E148 Safari/604.1"
    )
    here = PersonSession(id="s-1", used=_SINCE, network="203.0.113.9", program=firefox, this=True)
    phone = PersonSession(id="s-2", used=_SINCE, network="2001:db8:7:9::/64", program=safari, this=False)
    other = PersonSession(id="s-3", used=_SINCE, network="unknown", program="curl/8.14.1", this=False)
    long = _account(
        handle="ann-from-the-reading-circle-0001",
        name="Ann Eleonora Wilhelmina Reader-Librarianová " * 4,
        email=f"{'ann.reader.' * 5}ann@a-very-long-name-of-a-library.example.org",
        address="Reading Room\n1 Long Street Name That Does Not End\nLondon\n" * 4,
        pending_email="ann.reader.of.many.books@example.org",
    )
    return {
        "usual": _page(_account(address="12 Shelf Lane\nLondon"), [here, phone], example_credit()),
        "empty": _page(_account(), [here]),
        "long": _page(long, [here, phone, other], example_credit()),
        "failed": _page(_account(), None),
    }


PAGES = (PageRoute(ACCOUNT, get=show_account, title=_("Your account"), examples=_examples, requires=()),)
