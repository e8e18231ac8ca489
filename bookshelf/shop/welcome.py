"""The process of welcoming: each account that is opened gets a starting credit, also the older ones."""

from collections.abc import Iterable

from bookshelf.accounts import events as accounts
from bookshelf.cqrs.process import Process, Send, on
from bookshelf.cqrs.view import Recorded
from bookshelf.shop.credit import CREDIT, OpenCredit
from bookshelf.shop.money import Money

#: The credit that a customer begins with, in minor units.
STARTING_CREDIT = 10_000
#: The customer while there are no accounts; with them, the one that the things of that time belong to.
LOCAL_READER = "a-reader"


def customer_named(account: str, local_reader: str) -> str:
    """Return the customer that an account is; `local_reader`: that of the local reader, by the settings."""
    return LOCAL_READER if account == local_reader else account


def account_of(customer: str, local_reader: str) -> str:
    """Return the account that a customer is."""
    return local_reader if customer == LOCAL_READER else customer


def welcoming(currency: str, local_reader: str = LOCAL_READER) -> Process:
    """Return the process, for a shop with this currency, in which this account is the local reader."""

    def open_credit(_event: accounts.AccountOpened, recorded: Recorded) -> Iterable[Send]:
        """Open the credit of a new account."""
        customer = customer_named(recorded.subject, local_reader)
        yield Send(CREDIT, customer, OpenCredit(amount=Money(STARTING_CREDIT, currency)))

    return Process(
        name="welcome",
        topic=accounts.TOPIC,
        catalogue=accounts.EVENTS,
        arrows=(on(accounts.AccountOpened, then=[open_credit]),),
    )
