"""Services that seal or sign do not start on a network without a keyring."""

import pytest

from bookshelf.cli.instance import check_keyring
from bookshelf.config import Settings, WrongSetting
from bookshelf.cqrs.service import Service
from bookshelf.services import SERVICES

NEEDING = {"orders", "payments", "accounting"}
OFF = Settings(accounts="off")


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: str(service.name))
def test_only_a_service_that_needs_a_keyring_is_refused_without_one(service: Service) -> None:
    check_keyring(service, Settings(accounts="on"))
    check_keyring(service, Settings(accounts="off", accounts_secret_file="secret"))  # noqa: S106 (a path)
    if service.name in NEEDING:
        with pytest.raises(WrongSetting, match=f"accounts_secret_file .*{service.name} needs a keyring"):
            check_keyring(service, OFF)
    else:
        check_keyring(service, OFF)
