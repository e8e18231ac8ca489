"""`bookshelf up --only`: a name is that of a service or of a system."""

import pytest

from bookshelf.config import WrongSetting
from bookshelf.services import SERVICES, chosen


def test_without_a_name_every_service_is_chosen() -> None:
    assert chosen(()) == SERVICES


def test_a_system_is_all_its_services() -> None:
    names = {service.name for service in chosen(("shelf",))}
    assert {"newbook", "booklist", "site"} <= names
    assert not names & {"users", "accountsite", "files"}
    assert {service.name for service in chosen(("accounts", "lists"))} == {"users", "accountsite", "lists"}


def test_every_service_belongs_to_a_system() -> None:
    assert chosen(("shelf", "accounts", "shop", "photos", "cluster")) == SERVICES


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(
        WrongSetting, match=r"^only: shelves: .*shelf, accounts, shop, photos, cluster, newbook, "
    ):
        chosen(("shelves", "shelf"))
